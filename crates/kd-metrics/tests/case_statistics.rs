//! Means, differences and agreement over cases: properties, policies and refusals.

use kd_metrics::*;
use proptest::prelude::*;

const PLAN: BootstrapPlan =
    BootstrapPlan { method: BootstrapMethod::Percentile, resamples: 400, level: 0.95, seed: 11 };
const TWO_LEVEL: TwoLevelPlan = TwoLevelPlan { resamples: 400, level: 0.95, seed: 11 };
const MISSING: Undefined = Undefined::EmptyMask { which: "truth" };

fn mean(scores: &[Score], grouping: &Grouping, weight: CaseWeight) -> CaseMean {
    case_mean(scores, grouping, UndefinedCases::LeaveOut, weight, PLAN).unwrap()
}

/// Scores that differ by subject and case.
fn scores(cases: usize, salt: u64) -> Vec<Score> {
    (0..cases as u64).map(|i| Ok(((i * 37 + salt * 11) % 101) as f64 / 101.0)).collect()
}

#[test]
fn a_case_without_a_score_is_left_out_and_counted_or_refused() {
    let grouping = Grouping::new(&[0, 0, 1, 2]).unwrap();
    let some = [Ok(0.5), Err(MISSING), Err(MISSING), Ok(1.0)];
    let found = mean(&some, &grouping, CaseWeight::EachCase);
    assert_eq!(found.value, Ok(0.75));
    assert_eq!(found.counted, CountedCases { counted: 2, left_out: 2, infinite: 0, subjects: 2 });
    let refused = case_mean(&some, &grouping, UndefinedCases::Refuse, CaseWeight::EachCase, PLAN);
    assert_eq!(refused, Err(Undefined::InCase { case: 1, cause: Box::new(MISSING) }));
    let none = mean(&vec![Err(MISSING); 4], &grouping, CaseWeight::EachSubject);
    assert_eq!((none.value, none.interval), (Err(MISSING), Err(MISSING)));
    assert_eq!(none.counted.left_out, 4);
}

#[test]
fn an_infinite_case_makes_the_mean_infinite_and_leaves_no_interval() {
    let grouping = Grouping::each_sample(3).unwrap();
    let found = mean(&[Ok(30.0), Ok(f64::INFINITY), Ok(31.0)], &grouping, CaseWeight::EachCase);
    assert_eq!((found.value, found.counted.infinite), (Ok(f64::INFINITY), 1));
    assert!(matches!(found.interval, Err(Undefined::NotFinite { .. })));
    let both = [Ok(f64::NEG_INFINITY), Ok(f64::INFINITY), Ok(1.0)];
    assert!(mean(&both, &grouping, CaseWeight::EachCase).value.is_err());
    let nan = CaseScores::new(&vec![Ok(f64::NAN); 3], &grouping, UndefinedCases::LeaveOut, CaseWeight::EachCase);
    assert!(matches!(nan, Err(Undefined::NotFinite { what: "score of case", index: 0, .. })));
    assert!(case_mean(&[Ok(1.0)], &grouping, UndefinedCases::LeaveOut, CaseWeight::EachCase, PLAN).is_err());
}

#[test]
fn cases_of_one_subject_widen_the_interval() {
    let values: Vec<Score> = (0..80).map(|i| Ok(f64::from(i / 4 * 37 % 20))).collect();
    let width = |grouping: &Grouping| {
        let interval = mean(&values, grouping, CaseWeight::EachCase).interval.unwrap();
        interval.high - interval.low
    };
    let subjects = Grouping::new(&(0..80).map(|i| i / 4).collect::<Vec<_>>()).unwrap();
    let ratio = width(&subjects) / width(&Grouping::each_sample(80).unwrap());
    assert!((1.7..2.3).contains(&ratio), "a factor of about √4, found {ratio}");
}

#[test]
fn a_study_of_cases_is_the_two_level_bootstrap_of_their_means() {
    let grouping = Grouping::new(&(0..30).map(|i| i / 3).collect::<Vec<_>>()).unwrap();
    let (teacher, students) = (scores(30, 5), vec![scores(30, 1), scores(30, 2)]);
    let study = case_study(
        &[CaseArm::Single(&teacher), CaseArm::PerSeed(&students)],
        &grouping,
        UndefinedCases::Refuse,
        CaseWeight::EachCase,
        TWO_LEVEL,
    )
    .unwrap();
    let plain = |scores: &[Score], drawn: &[usize]| -> Score {
        let values: Result<Vec<f64>, Undefined> = drawn.iter().map(|&case| scores[case].clone()).collect();
        Ok(values?.iter().sum::<f64>() / drawn.len() as f64)
    };
    let single = |drawn: &[usize]| plain(&teacher, drawn);
    let per_seed = |seed: usize, drawn: &[usize]| plain(&students[seed], drawn);
    let arms = [Arm::Single(&single), Arm::PerSeed(&per_seed)];
    assert_eq!(study.draws, two_level_draws(2, &grouping, &arms, TWO_LEVEL).unwrap());
    assert_eq!(study.counted, CountedCases { counted: 30, left_out: 0, infinite: 0, subjects: 10 });
}

#[test]
fn all_arms_are_means_over_the_same_cases() {
    // The student has no score where the teacher is worst: left out of the student alone, that would be a lead.
    let teacher: Vec<Score> = (0..12).map(|i| Ok(if i == 7 { 0.0 } else { 0.8 + 0.01 * f64::from(i) })).collect();
    let mut student: Vec<Score> = teacher.iter().map(|score| Ok(score.clone().unwrap() - 0.005)).collect();
    student[3] = Ok(0.7);
    student[7] = Err(MISSING);
    let of = |undefined| {
        let arms = [CaseArm::Single(&teacher), CaseArm::PerSeed(std::slice::from_ref(&student))];
        case_study(&arms, &Grouping::each_sample(12).unwrap(), undefined, CaseWeight::EachSubject, TWO_LEVEL)
    };
    let study = of(UndefinedCases::LeaveOut).unwrap();
    let difference = study.draws.difference(0, 1).unwrap();
    assert!((difference.value - (10.0 * 0.005 + 0.13) / 11.0).abs() < 1e-12, "{}", difference.value);
    assert!(difference.interval.low > 0.0);
    assert_eq!((study.counted.counted, study.counted.left_out), (11, 1));
    assert!(matches!(of(UndefinedCases::Refuse), Err(Undefined::InCase { case: 7, .. })));
}

#[test]
fn arms_that_do_not_match_are_refused() {
    let grouping = Grouping::each_sample(6).unwrap();
    let of = |arms: &[CaseArm<'_>]| {
        case_study(arms, &grouping, UndefinedCases::LeaveOut, CaseWeight::EachCase, TWO_LEVEL)
            .map(|study| study.counted)
    };
    let (six, five) = (scores(6, 0), scores(5, 0));
    let (one, two) = (vec![scores(6, 1)], vec![scores(6, 2), scores(6, 3)]);
    assert!(of(&[CaseArm::PerSeed(&two), CaseArm::Single(&six)]).is_ok());
    let seeds = Err(Undefined::LengthMismatch { what: "seeds of an arm", expected: 2, found: 1 });
    assert_eq!(of(&[CaseArm::PerSeed(&two), CaseArm::PerSeed(&one)]), seeds);
    assert!(matches!(of(&[CaseArm::Single(&six), CaseArm::Single(&five)]), Err(Undefined::LengthMismatch { .. })));
    assert!(of(&[]).is_err() && of(&[CaseArm::PerSeed(&[])]).is_err());
    let infinite = vec![Ok(f64::INFINITY); 6];
    assert!(matches!(of(&[CaseArm::Single(&infinite), CaseArm::Single(&six)]), Err(Undefined::NotFinite { .. })));
}

#[test]
fn differences_of_subjects_take_cases_with_both_scores() {
    let grouping = Grouping::new(&["b", "a", "b", "c"]).unwrap();
    let first = [Ok(0.5), Ok(0.75), Ok(1.0), Err(MISSING)];
    let second = [Ok(0.25), Ok(0.5), Err(MISSING), Ok(1.0)];
    assert_eq!(subject_differences(&first, &second, &grouping, UndefinedCases::LeaveOut), Ok(vec![0.25, 0.25]));
    assert!(subject_differences(&first, &second, &grouping, UndefinedCases::Refuse).is_err());
    let infinite = [Ok(f64::INFINITY), Ok(1.0), Ok(1.0), Ok(1.0)];
    let refused = subject_differences(&infinite, &second, &grouping, UndefinedCases::LeaveOut);
    assert!(matches!(refused, Err(Undefined::NotFinite { .. })));
}

#[test]
fn limits_of_agreement_refuse_what_they_cannot_measure() {
    let student = AgreementIntervals::StudentT { level: 0.95 };
    let of = |first: &[f64], second: &[f64], agreement| bland_altman(first, second, agreement, student);
    assert!(of(&[1.0, 2.0], &[1.0, 3.0], 0.95).is_ok());
    assert!(of(&[1.0], &[2.0], 0.95).is_err() && of(&[1.0, 2.0], &[1.0], 0.95).is_err());
    assert!(of(&[1.0, f64::NAN], &[1.0, 3.0], 0.95).is_err() && of(&[1e308, 0.0], &[-1e308, 0.0], 0.95).is_err());
    for share in [0.0, 1.0, f64::NAN] {
        assert!(of(&[1.0, 2.0], &[1.0, 3.0], share).is_err());
    }
    let alike = of(&[1.0, 2.0, 3.0], &[0.0, 1.0, 2.0], 0.95);
    assert!(matches!(alike, Err(Undefined::ZeroVariance { .. })));
    let broken = AgreementIntervals::StudentT { level: 1.0 };
    assert!(bland_altman(&[1.0, 2.0], &[1.0, 3.0], 0.95, broken).is_err());
}

#[test]
fn limits_by_bootstrap_are_near_those_by_student_without_outliers() {
    // A spread without tails: its standard deviation is known better than that of a normal one, so the limits are too.
    let second: Vec<f64> = (0..60).map(|i| 20.0 + f64::from(i * 7 % 60)).collect();
    let first: Vec<f64> =
        second.iter().enumerate().map(|(i, v)| v + 1.0 + ((i * 37 % 60) as f64 - 29.5).sin()).collect();
    let grouping = Grouping::each_sample(60).unwrap();
    let of = |intervals| bland_altman(&first, &second, 0.95, intervals).unwrap();
    let student = of(AgreementIntervals::StudentT { level: 0.95 });
    let drawn = of(AgreementIntervals::Bootstrap { grouping: &grouping, plan: PLAN });
    for (a, b) in [(student.bias, drawn.bias), (student.lower, drawn.lower), (student.upper, drawn.upper)] {
        assert!((a.value - b.value).abs() < 1e-12 && b.interval.contains(b.value));
        let ratio = (b.interval.high - b.interval.low) / (a.interval.high - a.interval.low);
        assert!((0.4..1.3).contains(&ratio), "{ratio}");
    }
    let short = Grouping::each_sample(59).unwrap();
    let refused = AgreementIntervals::Bootstrap { grouping: &short, plan: PLAN };
    assert!(bland_altman(&first, &second, 0.95, refused).is_err());
}

#[test]
fn signed_ranks_refuse_what_they_cannot_rank() {
    assert!(WilcoxonSignedRank::new(&[], ZeroDifferences::Drop).is_err());
    assert!(WilcoxonSignedRank::new(&[0.0, -0.0], ZeroDifferences::RankThenDrop).is_err());
    assert!(WilcoxonSignedRank::new(&[1.0, f64::NAN], ZeroDifferences::Drop).is_err());
    let many: Vec<f64> = (1..=EXACT_DIFFERENCES + 1).map(|i| i as f64).collect();
    assert!(WilcoxonSignedRank::new(&many, ZeroDifferences::Drop).unwrap().exact_p_value().is_err());
    let most = WilcoxonSignedRank::new(&many[1..], ZeroDifferences::Drop).unwrap();
    assert!((most.exact_p_value().unwrap() - 2.0 * 0.5_f64.powi(EXACT_DIFFERENCES as i32)).abs() < 1e-70);
}

proptest! {
    #[test]
    fn signed_ranks_do_not_know_the_sign(differences in prop::collection::vec(-5_i32..6, 1..40)) {
        let values: Vec<f64> = differences.iter().map(|&d| f64::from(d) / 4.0).collect();
        prop_assume!(values.iter().any(|v| *v != 0.0));
        let turned: Vec<f64> = values.iter().map(|v| -v).collect();
        for zeros in [ZeroDifferences::Drop, ZeroDifferences::RankThenDrop] {
            let (a, b) = (WilcoxonSignedRank::new(&values, zeros).unwrap(), WilcoxonSignedRank::new(&turned, zeros).unwrap());
            let (p, q) = (a.exact_p_value().unwrap(), b.exact_p_value().unwrap());
            prop_assert!(p.to_bits() == q.to_bits() && p > 0.0 && p <= 1.0);
            prop_assert_eq!(a.rank_sums()[0].to_bits(), b.rank_sums()[1].to_bits());
            // A count of ways to give signs, out of 2 to the number of ranks.
            let ways = p * 2.0_f64.powi(a.differences() as i32);
            prop_assert!(ways.fract() == 0.0, "{}", ways);
        }
    }

    #[test]
    fn weights_make_no_difference_where_subjects_have_one_case(values in prop::collection::vec(0.0_f64..1.0, 2..30)) {
        let grouping = Grouping::each_sample(values.len()).unwrap();
        let scores: Vec<Score> = values.into_iter().map(Ok).collect();
        let (a, b) = (mean(&scores, &grouping, CaseWeight::EachCase), mean(&scores, &grouping, CaseWeight::EachSubject));
        prop_assert_eq!(a, b);
    }
}
