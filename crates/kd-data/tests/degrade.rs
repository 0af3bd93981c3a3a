//! Degradations: what noise is allowed to change and what it is not, the scan's own error, and what is refused.

#![cfg(feature = "formats")]

use kd_data::degrade::ct::{Beam, Filter};
use kd_data::degrade::{Degradation, DegradeError, DegradeKey, LowDoseCt, LowDoseOutput};
use kd_image::{Geometry, Image, Intensity, SampleId};

fn sample() -> SampleId {
    "s00003".parse().unwrap()
}

fn scan(beam: Beam) -> LowDoseCt {
    LowDoseCt {
        beam,
        angles: 240,
        detectors: None,
        photons: 2e5,
        dose_fraction: 1.0,
        electronic_sigma: 0.0,
        filter: Filter::Ramp,
        output: LowDoseOutput::Reconstructed,
    }
}

const FAN: Beam = Beam::Fan { source_to_centre_mm: 595.0 };

/// A body of water in air, wider than high, with a soft edge, an insert of fat and one of bone.
fn body(side: usize, spacing_mm: f64) -> Image<2> {
    let half = (side as f64 - 1.0) / 2.0;
    let inside = |x: f64, y: f64, [cx, cy]: [f64; 2], [rx, ry]: [f64; 2]| {
        let distance = ((x - cx) / rx).hypot((y - cy) / ry);
        // From 1 to 0 over 6 mm.
        (0.5 - (distance - 1.0) * rx.min(ry) / 6.0).clamp(0.0, 1.0)
    };
    let value = |n: usize| {
        let (x, y) = (((n % side) as f64 - half) * spacing_mm, (half - (n / side) as f64) * spacing_mm);
        let mut hu = -1000.0 + 1000.0 * inside(x, y, [0.0, 0.0], [110.0, 80.0]);
        hu += (-100.0 - hu) * inside(x, y, [40.0, 20.0], [18.0, 18.0]);
        hu += (600.0 - hu) * inside(x, y, [-45.0, -10.0], [14.0, 20.0]);
        hu as f32
    };
    let grid = Geometry::<2>::with_spacing([side, side], [spacing_mm; 2]).unwrap();
    Image::new(1, grid, Intensity::Hounsfield, (0..side * side).map(value).collect()).unwrap()
}

fn magnitudes(rows: usize, columns: usize) -> Image<2> {
    let grid = Geometry::<2>::with_spacing([rows, columns], [1.0, 1.5]).unwrap();
    let value = |n: usize| 50.0 + 40.0 * ((n / columns) as f32 * 0.7).sin() + ((n * 7) % 11) as f32;
    Image::new(1, grid, Intensity::Arbitrary, (0..rows * columns).map(value).collect()).unwrap()
}

fn all() -> Vec<(Degradation, Image<2>)> {
    let ct = body(48, 5.0);
    let mr = magnitudes(40, 24);
    let low = |beam| Degradation::LowDoseCt(LowDoseCt { angles: 40, electronic_sigma: 10.0, ..scan(beam) });
    vec![
        (low(Beam::Parallel {}), ct.clone()),
        (low(FAN), ct.clone()),
        (Degradation::Gaussian { sigma: 20.0 }, ct.clone()),
        (Degradation::Rician { sigma: 6.0 }, mr.clone()),
        (Degradation::KSpace { acceleration: 3.0, centre_fraction: 0.1 }, mr.clone()),
        (Degradation::Downsample { factor: 2, blur_sigma: 0.7 }, ct),
        (Degradation::Motion { moves: 3, max_shift_mm: 4.0, max_rotation_degrees: 5.0 }, mr),
    ]
}

#[test]
fn equal_keys_give_equal_values_on_any_number_of_threads() {
    let (id, other) = (sample(), "s00004".parse().unwrap());
    for (degradation, clean) in all() {
        let apply = |threads, seed, sample, view| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| degradation.apply(&clean, DegradeKey { seed, sample, view })).unwrap()
        };
        let first = apply(1, 5, &id, 2);
        assert_eq!(first, apply(3, 5, &id, 2), "{degradation:?}");
        let is_random = !matches!(degradation, Degradation::Downsample { .. });
        for changed in [apply(1, 6, &id, 2), apply(1, 5, &other, 2), apply(1, 5, &id, 3)] {
            assert_eq!(first != changed, is_random, "{degradation:?}");
        }
        let factor = degradation.factor();
        assert_eq!(first.geometry().shape(), clean.geometry().shape().map(|side| side / factor));
        assert_eq!((first.intensity(), first.channels()), (clean.intensity(), 1));
    }
}

#[test]
fn a_recipe_spells_every_parameter_and_reads_back() {
    let mut protocols = std::collections::BTreeSet::new();
    for (degradation, _) in all() {
        let text = toml::to_string(&degradation).unwrap();
        assert_eq!(toml::from_str::<Degradation>(&text).unwrap(), degradation, "{text}");
        assert!(text.starts_with(&format!("kind = \"{}\"", degradation.name())), "{text}");
        // A key that nobody knows, and each one left out.
        assert!(toml::from_str::<Degradation>(&format!("typo = 1\n{text}")).is_err(), "{text}");
        for line in text.lines().filter(|line| line.contains('=')) {
            let less = text.replace(&format!("{line}\n"), "");
            assert!(toml::from_str::<Degradation>(&less).is_err(), "{line} of {text}");
        }
        let protocol = degradation.protocol();
        assert!(!protocol.contains('\n') && protocol.starts_with(degradation.name()), "{protocol}");
        assert!(protocols.insert(protocol));
    }
    let shorter = LowDoseCt { dose_fraction: 0.25, ..scan(FAN) };
    assert!(Degradation::LowDoseCt(shorter).protocol().contains("dose 0.25"));
}

#[test]
fn a_scan_without_noise_gives_the_slice_back() {
    for beam in [Beam::Parallel {}, FAN] {
        let clean = body(128, 2.0);
        let back = LowDoseCt { angles: 360, ..scan(beam) }.prepare(&clean).unwrap().without_noise().unwrap();
        // Inside of the circle in the square; measured away from edges, where a pixel's own width blurs them.
        let (mut flat, mut whole, mut n_flat, mut n) = (0.0f64, 0.0f64, 0, 0);
        for row in 1..127usize {
            for column in 1..127usize {
                if (row as f64 - 63.5).hypot(column as f64 - 63.5) > 62.0 {
                    continue;
                }
                let at = |row: usize, column: usize| f64::from(clean.values()[row * 128 + column]);
                let value = at(row, column);
                let error = f64::from(back.values()[row * 128 + column]) - value;
                let steepest = [at(row - 1, column), at(row + 1, column), at(row, column - 1), at(row, column + 1)]
                    .into_iter()
                    .map(|near| (near - value).abs())
                    .fold(0.0, f64::max);
                whole += error * error;
                n += 1;
                if steepest < 1.0 {
                    flat += error * error;
                    n_flat += 1;
                }
            }
        }
        let (flat, whole) = ((flat / f64::from(n_flat)).sqrt(), (whole / f64::from(n)).sqrt());
        assert!(n_flat > 8000, "{n_flat}");
        // 0.5 % of the range from air to water in flat parts; edges of 1000 HU within three pixels are smoothed.
        assert!(flat < 5.0 && whole < 12.0, "{beam:?}: {flat} HU flat, {whole} HU all");
    }
}

fn noise_of(scan: &LowDoseCt, clean: &Image<2>, views: u32) -> f64 {
    let prepared = scan.prepare(clean).unwrap();
    let quiet = prepared.without_noise().unwrap();
    let id = sample();
    let mut squares = 0.0;
    for view in 0..views {
        let noisy = prepared.realise(DegradeKey { seed: 1, sample: &id, view }).unwrap();
        squares += noisy.values().iter().zip(quiet.values()).map(|(a, b)| f64::from(a - b).powi(2)).sum::<f64>();
    }
    squares / f64::from(views) / clean.values().len() as f64
}

#[test]
fn the_variance_of_the_noise_is_one_over_the_dose() {
    let clean = body(64, 4.0);
    for beam in [Beam::Parallel {}, FAN] {
        let at = |dose_fraction| noise_of(&LowDoseCt { dose_fraction, ..scan(beam) }, &clean, 4);
        let (full, quarter) = (at(1.0), at(0.25));
        // 4 × 240 × 91 rays: the ratio of two such variances scatters by about 1 %.
        assert!((quarter / full - 4.0).abs() < 0.15, "{beam:?}: {full} {quarter}");
    }
    // Electronic noise matters where few photons arrive, and a window on the ramp takes noise away.
    let quiet = noise_of(&scan(FAN), &clean, 1);
    assert!(noise_of(&LowDoseCt { electronic_sigma: 300.0, ..scan(FAN) }, &clean, 1) > 1.05 * quiet);
    assert!(noise_of(&LowDoseCt { filter: Filter::Hann, ..scan(FAN) }, &clean, 1) < 0.6 * quiet);
}

#[test]
fn inserted_noise_is_that_of_the_reconstruction_and_leaves_edges_alone() {
    let clean = body(64, 4.0);
    let id = sample();
    let key = DegradeKey { seed: 1, sample: &id, view: 0 };
    for beam in [Beam::Parallel {}, FAN] {
        let with = |output| LowDoseCt { output, ..scan(beam) }.prepare(&clean).unwrap();
        let whole = with(LowDoseOutput::Reconstructed);
        let (noisy, quiet) = (whole.realise(key).unwrap(), whole.without_noise().unwrap());
        let inserted = with(LowDoseOutput::NoiseInserted).realise(key).unwrap();
        for (n, value) in inserted.values().iter().enumerate() {
            let noise = noisy.values()[n] - quiet.values()[n];
            // Linear but for the rounding of 32-bit sums over 240 projections.
            assert!((value - clean.values()[n] - noise).abs() < 0.1, "{beam:?} {n}");
        }
    }
}

#[test]
fn noise_of_a_scan_is_strongest_inside_and_runs_along_the_longest_way() {
    let clean = body(64, 4.0);
    let prepared = LowDoseCt { dose_fraction: 0.1, ..scan(Beam::Parallel {}) }.prepare(&clean).unwrap();
    let quiet = prepared.without_noise().unwrap();
    let id = sample();
    let (mut middle, mut edge, mut beside, mut below) = (0.0, 0.0, 0.0, 0.0);
    for view in 0..8 {
        let noisy = prepared.realise(DegradeKey { seed: 1, sample: &id, view }).unwrap();
        let noise: Vec<f64> = noisy.values().iter().zip(quiet.values()).map(|(a, b)| f64::from(a - b)).collect();
        for n in (0..64 * 64).filter(|n| (20..44).contains(&(n % 64))) {
            match n / 64 {
                0..12 => edge += noise[n] * noise[n],
                26..38 => {
                    middle += noise[n] * noise[n];
                    beside += noise[n] * noise[n + 1];
                    below += noise[n] * noise[n + 64];
                }
                _ => {}
            }
        }
    }
    assert!(middle > 2.0 * edge, "{middle} {edge}");
    // Rays along the wide axis of the body hold the fewest photons, so the noise makes streaks along the rows. White
    // noise would have neither; the correlation of 2304 pixels is known to 0.02.
    let (beside, below) = (beside / middle, below / middle);
    assert!(beside - below > 0.2, "{beside} {below}");
}

#[test]
fn starved_rays_stay_finite() {
    let grid = Geometry::<2>::with_spacing([32, 32], [10.0, 10.0]).unwrap();
    let clean = Image::new(1, grid, Intensity::Hounsfield, vec![30_000.0; 1024]).unwrap();
    let id = sample();
    let weak = LowDoseCt { photons: 100.0, dose_fraction: 0.01, electronic_sigma: 2.0, ..scan(FAN) };
    let noisy = Degradation::LowDoseCt(weak).apply(&clean, DegradeKey { seed: 1, sample: &id, view: 0 }).unwrap();
    assert!(noisy.values().iter().all(|value| value.is_finite()));
}

#[test]
fn lines_left_out_blur_and_no_line_left_out_changes_nothing() {
    let clean = magnitudes(40, 24);
    let id = sample();
    let key = DegradeKey { seed: 1, sample: &id, view: 0 };
    let whole = Degradation::KSpace { acceleration: 1.0, centre_fraction: 1.0 }.apply(&clean, key).unwrap();
    assert!(whole.values().iter().zip(clean.values()).all(|(a, b)| (a - b).abs() < 1e-4));
    let energy = |image: &Image<2>| image.values().iter().map(|&value| f64::from(value).powi(2)).sum::<f64>();
    let half = Degradation::KSpace { acceleration: 2.0, centre_fraction: 0.2 }.apply(&clean, key).unwrap();
    // Parseval: what is left out is missing.
    assert!(energy(&half) < energy(&clean));
    let still = Degradation::Motion { moves: 4, max_shift_mm: 0.0, max_rotation_degrees: 0.0 };
    let still = still.apply(&clean, key).unwrap();
    assert!(still.values().iter().zip(clean.values()).all(|(a, b)| (a - b).abs() < 1e-3));
}

#[test]
fn channels_get_noise_of_their_own() {
    let one = body(24, 8.0);
    let twice = [one.values(), one.values()].concat();
    let two = Image::new(2, one.geometry().clone(), Intensity::Hounsfield, twice).unwrap();
    let id = sample();
    let key = DegradeKey { seed: 1, sample: &id, view: 0 };
    for degradation in [Degradation::LowDoseCt(scan(FAN)), Degradation::Gaussian { sigma: 3.0 }] {
        let noisy = degradation.apply(&two, key).unwrap();
        assert_ne!(noisy.channel(0), noisy.channel(1));
        assert_eq!(noisy.channel(0), degradation.apply(&one, key).unwrap().channel(0));
    }
}

#[test]
fn what_does_not_fit_is_refused_with_a_hint() {
    let id = sample();
    let refused = |degradation: &Degradation, clean: &Image<2>| {
        let text = degradation.apply(clean, DegradeKey { seed: 1, sample: &id, view: 0 }).unwrap_err().to_string();
        assert!(text.contains("expected") || text.contains("takes") || text.contains("needs"), "{text}");
        assert!(text.contains("\nhint: ") && text.contains(degradation.name()), "{text}");
        text
    };
    let (ct, mr) = (body(16, 8.0), magnitudes(9, 8));
    let low = Degradation::LowDoseCt(scan(FAN));
    assert!(refused(&low, &mr).contains("Hounsfield units, found intensity `arbitrary`"));
    let unknown = Geometry::<2>::without_spacing([2, 2]).unwrap();
    let unknown = Image::new(1, unknown, Intensity::Hounsfield, vec![0.0; 4]).unwrap();
    assert!(refused(&low, &unknown).contains("mm"));
    let near = Degradation::LowDoseCt(scan(Beam::Fan { source_to_centre_mm: 50.0 }));
    assert!(refused(&near, &ct).contains("above 90.5 mm"));
    for wrong in [
        LowDoseCt { photons: 0.0, ..scan(FAN) },
        LowDoseCt { dose_fraction: 0.0, ..scan(FAN) },
        LowDoseCt { dose_fraction: 1.5, ..scan(FAN) },
        LowDoseCt { electronic_sigma: -1.0, ..scan(FAN) },
        LowDoseCt { angles: 0, ..scan(FAN) },
        LowDoseCt { detectors: Some(0), ..scan(FAN) },
    ] {
        refused(&Degradation::LowDoseCt(wrong), &ct);
    }
    assert!(refused(&Degradation::Gaussian { sigma: f64::NAN }, &ct).contains("sigma is NaN"));
    assert!(refused(&Degradation::Rician { sigma: 1.0 }, &ct).contains("for CT use `low-dose-ct`"));
    let negative = Image::new(1, mr.geometry().clone(), Intensity::Arbitrary, vec![-1.0; 72]).unwrap();
    assert!(refused(&Degradation::Rician { sigma: 1.0 }, &negative).contains("found -1 at position 0"));
    for (acceleration, centre_fraction) in [(0.5, 0.1), (4.0, 0.0), (4.0, 0.3)] {
        refused(&Degradation::KSpace { acceleration, centre_fraction }, &mr);
    }
    let odd = refused(&Degradation::Downsample { factor: 2, blur_sigma: 0.0 }, &mr);
    assert!(odd.contains("rows and columns that 2 divides, found 9 x 8"), "{odd}");
    refused(&Degradation::Downsample { factor: 3, blur_sigma: 0.0 }, &ct);
    let motion = |moves, max_shift_mm| Degradation::Motion { moves, max_shift_mm, max_rotation_degrees: 1.0 };
    refused(&motion(0, 1.0), &mr);
    refused(&motion(9, 1.0), &mr);
    refused(&motion(1, -1.0), &mr);
    let z = Degradation::Motion { moves: 1, max_shift_mm: 1.0, max_rotation_degrees: 1.0 };
    assert!(matches!(z.check(Intensity::ZScore), Err(DegradeError::Intensity { .. })));
}
