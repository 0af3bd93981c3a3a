//! Statistics over cases against SciPy, statsmodels and brute force.

mod golden;

use golden::{all_close, close, document, labels, number, numbers};
use kd_metrics::*;

#[test]
fn signed_ranks_agree_with_scipy() {
    for case in document("cases")["wilcoxon"].as_array().unwrap() {
        let differences = numbers(&case["differences"]);
        for (name, zeros) in [("wilcox", ZeroDifferences::Drop), ("pratt", ZeroDifferences::RankThenDrop)] {
            let (test, expected) = (WilcoxonSignedRank::new(&differences, zeros).unwrap(), &case[name]);
            all_close(&test.rank_sums(), &expected["rank_sums"], 0.0);
            assert_eq!(test.differences() + test.zeros(), differences.len());
            // The tail of the normal distribution is a series on both sides.
            close(test.normal_p_value().unwrap(), &expected["normal"], 1e-10);
            if expected["exact"].is_number() {
                close(test.exact_p_value().unwrap(), &expected["exact"], 1e-12);
            }
        }
    }
}

#[test]
fn limits_of_agreement_agree_with_statsmodels_and_scipy() {
    for case in document("cases")["bland_altman"].as_array().unwrap() {
        let (first, second) = (numbers(&case["first"]), numbers(&case["second"]));
        let intervals = AgreementIntervals::StudentT { level: number(&case["level"]) };
        let found = bland_altman(&first, &second, number(&case["agreement"]), intervals).unwrap();
        close(found.bias.value, &case["bias"], 1e-12);
        close(found.standard_deviation, &case["standard_deviation"], 1e-12);
        // Quantiles of t agree to about 1e-9, and are as large as 6 for two pairs.
        let ends = |estimate: &Estimate| [estimate.interval.low, estimate.interval.high];
        all_close(&ends(&found.bias), &case["bias_interval"], 1e-7);
        for (limit, index) in [(&found.lower, 0), (&found.upper, 1)] {
            close(limit.value, &case["limits"][index], 1e-9);
            all_close(&ends(limit), &case["limit_intervals"][index], 1e-7);
        }
    }
}

#[test]
fn means_over_cases_and_subjects_agree_with_numpy() {
    let case = &document("cases")["means"];
    let grouping = Grouping::new(&labels(&case["subjects"])).unwrap();
    let scores: Vec<Score> =
        case["scores"].as_array().unwrap().iter().map(|score| score.as_f64().ok_or(Undefined::NoSamples)).collect();
    let plan = BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 400, level: 0.9, seed: 2 };
    for (weight, name) in [(CaseWeight::EachCase, "each_case"), (CaseWeight::EachSubject, "each_subject")] {
        let found = case_mean(&scores, &grouping, UndefinedCases::LeaveOut, weight, plan).unwrap();
        close(found.value.unwrap(), &case[name], 1e-14);
        assert!(found.interval.unwrap().contains(number(&case[name])));
        let counted = [found.counted.counted, found.counted.left_out, found.counted.subjects];
        assert_eq!(counted.to_vec(), labels(&case["counted"]));
    }
}
