//! Intervals and tests against SciPy, statsmodels and independent brute force.

mod golden;

use golden::{cases, close, document, flags, labels, number, numbers};
use kd_metrics::*;

type Statistic<'a> = &'a (dyn Fn(&[usize]) -> Score + Sync);

#[test]
fn delong_agrees_with_brute_force_over_all_pairs() {
    for case in cases("delong") {
        let truth = flags(&case["truth"]);
        let first = RankedScores::new(&numbers(&case["first"]), &truth).unwrap();
        let second = RankedScores::new(&numbers(&case["second"]), &truth).unwrap();
        let level = number(&case["level"]);
        for (scores, value, variance) in
            [(&first, "auroc_first", "variance_first"), (&second, "auroc_second", "variance_second")]
        {
            let found = delong(scores, level).unwrap();
            close(found.auroc, &case[value], 1e-14);
            close(found.variance, &case[variance], 1e-14);
        }
        let interval = delong(&first, level).unwrap().interval;
        // The quantile functions of the normal distribution agree to about 1e-10 in relative terms.
        close(interval.low, &case["interval_first"][0], 1e-10);
        close(interval.high, &case["interval_first"][1], 1e-10);
        let test = delong_test(&first, &second, level).unwrap();
        close(test.difference, &case["difference"], 1e-14);
        close(test.standard_error, &case["standard_error"], 1e-14);
        close(test.z, &case["z"], 1e-11);
        close(test.p_value, &case["p_value"], 1e-10);
        close(test.interval.low, &case["interval"][0], 1e-10);
        close(test.interval.high, &case["interval"][1], 1e-10);
        let swapped = delong_test(&second, &first, level).unwrap();
        assert!((swapped.z + test.z).abs() < 1e-12);
    }
}

#[test]
fn mcnemar_agrees_with_statsmodels() {
    for case in document("tests")["mcnemar"].as_array().unwrap() {
        let test = Mcnemar {
            only_first: case["only_first"].as_u64().unwrap(),
            only_second: case["only_second"].as_u64().unwrap(),
        };
        close(test.exact_p_value().unwrap(), &case["exact"], 1e-11);
        let chi = test.chi_square().unwrap();
        if case["statistic"].is_number() {
            close(chi.statistic, &case["statistic"], 1e-12);
            close(chi.p_value, &case["p_value"], 1e-11);
        } else {
            assert_eq!((chi.statistic.to_bits(), chi.p_value.to_bits()), (0_f64.to_bits(), 1_f64.to_bits()));
        }
    }
}

#[test]
fn wilson_agrees_with_statsmodels() {
    for case in document("tests")["wilson"].as_array().unwrap() {
        let (successes, total) = (case["successes"].as_u64().unwrap(), case["total"].as_u64().unwrap());
        let interval = wilson_interval(successes, total, number(&case["level"])).unwrap();
        close(interval.low, &case["interval"][0], 1e-10);
        close(interval.high, &case["interval"][1], 1e-10);
    }
}

#[test]
fn holm_agrees_with_statsmodels() {
    let case = &document("tests")["holm"];
    golden::all_close(&holm(&numbers(&case["p_values"])).unwrap(), &case["adjusted"], 1e-15);
}

#[test]
fn grouped_bootstrap_agrees_with_scipy() {
    let case = document("bootstrap");
    let grouping = Grouping::new(&labels(&case["groups"])).unwrap();
    let ranked = RankedScores::new(&numbers(&case["scores"]), &flags(&case["truth"])).unwrap();
    let values = numbers(&case["values"]);
    let of_auroc = |drawn: &[usize]| auroc_of(&ranked, drawn);
    let of_mean = |drawn: &[usize]| Ok(drawn.iter().map(|&i| values[i]).sum::<f64>() / drawn.len() as f64);
    let statistics: [(&str, Statistic<'_>); 2] = [("auroc", &of_auroc), ("mean", &of_mean)];
    for (name, statistic) in statistics {
        for (method, suffix) in
            [(BootstrapMethod::Percentile, "percentile"), (BootstrapMethod::BiasCorrectedAccelerated, "BCa")]
        {
            let plan = BootstrapPlan { method, resamples: 20_000, level: 0.95, seed: 5 };
            let found = bootstrap_interval(&grouping, statistic, plan).unwrap();
            let expected = &case["intervals"][format!("{name}_{suffix}")];
            // Two runs of 20,000 draws: an end at 2.5 % has a Monte-Carlo error of 0.019 standard errors in each, 0.027 for the
            // difference; four times that, and half as much again for the correction's own error in BCa.
            let tolerance = number(&expected["standard_error"]) * if suffix == "BCa" { 0.16 } else { 0.11 };
            close(found.low, &expected["low"], tolerance);
            close(found.high, &expected["high"], tolerance);
            assert_eq!(found.undefined_draws, 0);
        }
    }
}

#[test]
fn two_level_bootstrap_agrees_with_numpy() {
    let case = document("two_level");
    let truth = flags(&case["truth"]);
    let ranked = |scores| RankedScores::new(&numbers(scores), &truth).unwrap();
    let per_seed = |name: &str| case[name].as_array().unwrap().iter().map(ranked).collect::<Vec<_>>();
    let (teacher, alone, distilled) = (ranked(&case["teacher"]), per_seed("alone"), per_seed("distilled"));
    let of_teacher = |drawn: &[usize]| auroc_of(&teacher, drawn);
    let of_alone = |seed: usize, drawn: &[usize]| auroc_of(&alone[seed], drawn);
    let of_distilled = |seed: usize, drawn: &[usize]| auroc_of(&distilled[seed], drawn);
    let study = two_level_draws(
        number(&case["seeds"]) as usize,
        &Grouping::new(&labels(&case["groups"])).unwrap(),
        &[Arm::Single(&of_teacher), Arm::PerSeed(&of_alone), Arm::PerSeed(&of_distilled)],
        TwoLevelPlan { resamples: 20_000, level: 0.95, seed: 1 },
    )
    .unwrap();
    let recovered = study.gap_recovered(0, 1, 2, Better::Higher).unwrap();
    let values = &case["values"];
    for (arm, name) in [(0, "teacher"), (1, "alone"), (2, "distilled")] {
        close(study.value(arm).unwrap(), &values[name], 1e-12);
    }
    close(recovered.share, &values["recovered"], 1e-11);
    let intervals = [
        ("teacher", study.interval(0).unwrap()),
        ("alone", study.interval(1).unwrap()),
        ("distilled", study.interval(2).unwrap()),
        ("distilled_minus_alone", study.difference(2, 1).unwrap().interval),
        ("recovered", recovered.interval),
    ];
    for (name, found) in intervals {
        // The golden file carries four Monte-Carlo errors of the difference of two runs, from the density at each end.
        let expected = &case["intervals"][name];
        close(found.low, &expected["low"], number(&expected["low_error"]));
        close(found.high, &expected["high"], number(&expected["high_error"]));
    }
}
