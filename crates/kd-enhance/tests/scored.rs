//! Scores of restored images: against the metrics themselves, and what cannot be scored.

use kd_enhance::{Metric, ScoreError, ScoreRange, ScoredImages};
use kd_image::{Geometry, Image, Intensity};
use kd_metrics::{
    BootstrapMethod, BootstrapPlan, CaseProtocol, CaseWeight, EnhanceMetric, ImagePair, Number, SsimVariant, Undefined,
    UndefinedCases, psnr, ssim,
};

const SIDE: usize = 176;

fn grid(shape: [usize; 2]) -> Geometry<2> {
    Geometry::with_spacing(shape, [0.5, 0.75]).unwrap()
}

fn image(shape: [usize; 2], value: impl Fn(usize) -> f32) -> Image<2> {
    let values = (0..shape[0] * shape[1]).map(value).collect();
    Image::new(1, grid(shape), Intensity::Hounsfield, values).unwrap()
}

fn cases(undefined: UndefinedCases, weight: CaseWeight) -> CaseProtocol {
    let plan = BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 200, level: 0.95, seed: 0 };
    CaseProtocol { undefined, weight, plan }
}

fn scorer(range: [f64; 2], clip: bool, metrics: &[Metric]) -> ScoredImages {
    let protocol = cases(UndefinedCases::Refuse, CaseWeight::EachCase);
    ScoredImages::new(ScoreRange::new(range, clip).unwrap(), metrics.to_vec(), protocol).unwrap()
}

fn truth() -> Image<2> {
    image([SIDE, SIDE], |i| (i % SIDE * 3 % 97) as f32 + (i / SIDE * 5 % 61) as f32)
}

fn restored() -> Image<2> {
    image([SIDE, SIDE], |i| (i % SIDE * 3 % 97) as f32 + (i / SIDE * 5 % 59) as f32)
}

fn wide(image: &Image<2>) -> Vec<f64> {
    image.values().iter().map(|&value| f64::from(value)).collect()
}

#[test]
fn every_metric_is_the_one_of_kd_metrics_at_the_stated_range() {
    let (t, r) = (truth(), restored());
    let mut scored = scorer([0.0, 160.0], false, &Metric::ALL);
    scored.add("a", "s", &r, &t, None).unwrap();
    let (tv, rv) = (wide(&t), wide(&r));
    let pair = ImagePair::plane([SIDE, SIDE], &rv, &tv).unwrap();
    for metric in Metric::ALL {
        let direct = metric.within(scored.range()).score(&pair);
        assert_eq!(scored.value(metric, None), direct, "{}", metric.name());
        assert!(direct.is_ok(), "{}", metric.name());
    }
    assert_eq!(scored.value(Metric::Psnr, None), psnr(&pair, 160.0));
    assert_eq!(scored.value(Metric::Ssim, None), ssim(&pair, 160.0, SsimVariant::Reference));
    let skimage = EnhanceMetric::Ssim { range: 160.0, variant: SsimVariant::Skimage };
    assert_eq!(scored.value(Metric::SsimSkimage, None), skimage.score(&pair));
}

#[test]
fn clipping_brings_both_images_into_the_window_first() {
    let t = image([1, 4], |i| [-1000.0, 0.0, 100.0, 3000.0][i]);
    let r = image([1, 4], |i| [-900.0, 10.0, 100.0, 2000.0][i]);
    let mut scored = scorer([-160.0, 240.0], true, &[Metric::Mae, Metric::Psnr]);
    scored.add("a", "s", &r, &t, None).unwrap();
    assert_eq!(scored.value(Metric::Mae, None), Ok(2.5));
    // Mean squared error 25, range 400.
    let psnr = scored.value(Metric::Psnr, None).unwrap();
    assert!((psnr - 10.0 * (160_000.0_f64 / 25.0).log10()).abs() < 1e-12, "{psnr}");
}

#[test]
fn a_truth_beyond_the_range_is_refused_and_an_answer_beyond_it_is_not() {
    let (inside, beyond) = (image([1, 2], |_| 50.0), image([1, 2], |_| 120.0));
    let mut scored = scorer([0.0, 100.0], false, &[Metric::Mae]);
    let text = scored.add("slice 7", "s", &inside, &beyond, None).unwrap_err().to_string();
    assert!(text.starts_with("image `slice 7`: true image holds 120, expected 0 to 100\nhint: widen"), "{text}");
    assert!(scored.is_empty());
    scored.add("slice 7", "s", &beyond, &inside, None).unwrap();
    assert_eq!(scored.value(Metric::Mae, None), Ok(70.0));
}

#[test]
fn an_image_equal_to_the_truth_makes_the_mean_infinite_and_a_draw_without_it_finite() {
    let t = truth();
    let mut scored = scorer([0.0, 160.0], false, &[Metric::Psnr, Metric::Ssim]);
    scored.add("same", "a", &t, &t, None).unwrap();
    scored.add("other", "b", &restored(), &t, None).unwrap();
    assert_eq!(scored.value(Metric::Psnr, None), Ok(f64::INFINITY));
    assert!(scored.value(Metric::Psnr, Some(&[1, 1])).unwrap().is_finite());
    assert!(scored.value(Metric::Ssim, None).unwrap() < 1.0);
    let table = scored.table().unwrap();
    assert_eq!(table.metrics["psnr_db"].infinite, 1);
    assert_eq!(table.metrics["psnr_db"].value.map(Number::value), Some(f64::INFINITY));
}

#[test]
fn subjects_weigh_the_same_where_the_protocol_says_so() {
    let t = image([1, 2], |_| 0.0);
    let answers = [1.0, 1.0, 1.0, 5.0].map(|error| image([1, 2], move |_| error));
    let of = |weight| {
        let range = ScoreRange::new([0.0, 10.0], false).unwrap();
        let mut scored = ScoredImages::new(range, vec![Metric::Mae], cases(UndefinedCases::Refuse, weight)).unwrap();
        for (index, answer) in answers.iter().enumerate() {
            scored.add(&index.to_string(), if index < 3 { "anna" } else { "bert" }, answer, &t, None).unwrap();
        }
        scored.value(Metric::Mae, None).unwrap()
    };
    assert!((of(CaseWeight::EachCase) - 2.0).abs() < 1e-12 && (of(CaseWeight::EachSubject) - 3.0).abs() < 1e-12);
}

#[test]
fn doing_nothing_is_the_input_or_its_interpolation() {
    let t = image([6, 8], |i| (i % 8) as f32);
    let noisy = image([6, 8], |i| (i % 8) as f32 + 2.0);
    let mut scored = scorer([0.0, 10.0], false, &[Metric::Mae]);
    scored.add("a", "s", &t, &t, Some(&noisy)).unwrap();
    assert_eq!(scored.do_nothing(Metric::Mae, None), Ok(2.0));
    assert_eq!(scored.value(Metric::Mae, None), Ok(0.0));

    // A ramp, each coarse pixel the mean of its two fine ones: interpolation finds it again away from the border.
    let coarse = Geometry::with_spacing([3, 4], [1.0, 1.5]).unwrap();
    let values = (0..12).map(|i| 2.0 * (i % 4) as f32 + 0.5).collect();
    let coarse = Image::new(1, coarse, Intensity::Hounsfield, values).unwrap();
    let mut scored = scorer([0.0, 10.0], false, &[Metric::Mae]);
    scored.add("a", "s", &t, &t, Some(&coarse)).unwrap();
    let error = scored.do_nothing(Metric::Mae, None).unwrap();
    assert!(error > 0.0 && error < 0.25, "{error}");
}

#[test]
fn what_is_no_pair_is_refused_with_the_image() {
    let t = image([6, 8], |_| 1.0);
    let mut scored = scorer([0.0, 10.0], false, &[Metric::Mae]);
    let mut refuse = |restored: &Image<2>, input: Option<&Image<2>>| {
        scored.add("slice 3", "s", restored, &t, input).unwrap_err().to_string()
    };
    let text = refuse(&image([6, 7], |_| 1.0), None);
    assert!(text.starts_with("image `slice 3`: restored image lies on another grid: expected 6 × 8"), "{text}");
    let text = refuse(&t, Some(&image([5, 8], |_| 1.0)));
    assert_eq!(
        text,
        "image `slice 3` has a true image of 6 × 8 points beside an input of 5 × 8, expected 1 times as many along each axis"
    );
    let text = refuse(&t, Some(&image([3, 4], |_| 1.0)));
    assert!(text.starts_with("image `slice 3` true image lies on another grid"), "{text}");
    let colour = Image::new(3, grid([6, 8]), Intensity::Unit, vec![0.5; 144]).unwrap();
    assert_eq!(refuse(&colour, None), "image `slice 3` has 3 channels, expected 1 (grey)");

    scored.add("slice 3", "s", &t, &t, None).unwrap();
    let twice = scored.add("slice 3", "s", &t, &t, None).unwrap_err();
    assert!(matches!(twice, ScoreError::Undefined { source: Undefined::DuplicateCase { .. }, .. }));
}

#[test]
fn what_was_not_measured_has_no_value() {
    let t = image([6, 8], |_| 1.0);
    let mut scored = scorer([0.0, 10.0], false, &[Metric::Mae, Metric::Ssim]);
    assert!(scored.value(Metric::Mae, None).is_err());
    scored.add("a", "s", &t, &t, None).unwrap();
    assert!(scored.value(Metric::Psnr, None).is_err() && scored.scores(Metric::Psnr).is_none());
    assert!(scored.do_nothing(Metric::Mae, None).is_err() && scored.do_nothing_scores(Metric::Mae).is_none());
    // Six rows hold no window of eleven.
    let text = scored.value(Metric::Ssim, None).unwrap_err().to_string();
    assert!(text.contains("11 points along the shortest axis"), "{text}");
}

#[test]
fn ranges_without_width_are_refused() {
    for range in [[1.0, 1.0], [2.0, 1.0], [f64::NAN, 1.0], [0.0, f64::INFINITY]] {
        assert!(ScoreRange::new(range, true).is_err(), "{range:?}");
    }
    let read: ScoreRange = toml::from_str("range = [-160.0, 240.0]\nclip = true").unwrap();
    assert_eq!(read, ScoreRange::new([-160.0, 240.0], true).unwrap());
    assert!(toml::from_str::<ScoreRange>("range = [240.0, -160.0]\nclip = true").is_err());
    assert!(toml::from_str::<ScoreRange>("range = [0.0, 1.0]").is_err());
}
