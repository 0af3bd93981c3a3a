//! The page: well-formed, complete, quiet on the network, and inert towards foreign text.

use crate::{example, pictures};
use kd_report::{RunRecord, Value, html};

fn page(record: &RunRecord) -> String {
    html::report(record, &example::timing(), &pictures::errors(record), &[])
}

/// Elements that HTML never closes.
const VOID: [&str; 4] = ["meta", "img", "br", "link"];

/// Opening and closing tags must nest; comments and the doctype are passed over.
fn assert_balanced(page: &str) {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = page;
    while let Some(start) = rest.find('<') {
        rest = &rest[start + 1..];
        let end = rest.find('>').expect("a tag ends");
        let tag = &rest[..end];
        if let Some(name) = tag.strip_prefix('/') {
            assert_eq!(open.pop(), Some(name), "closing </{name}>");
        } else if !tag.starts_with('!') {
            let name = tag.split([' ', '\n']).next().unwrap();
            assert!(name.chars().all(|letter| letter.is_ascii_alphanumeric()), "tag <{name}>");
            if !VOID.contains(&name) {
                open.push(name);
            }
            if name == "style" {
                rest = &rest[rest.find("</style").unwrap()..];
                continue;
            }
        }
        rest = &rest[end + 1..];
    }
    assert_eq!(open, Vec::<&str>::new());
}

#[test]
fn tags_are_balanced() {
    assert_balanced(&page(&example::two_classes()));
    assert_balanced(&page(&example::three_classes()));
}

#[test]
fn ids_are_unique_and_every_link_inside_the_page_has_its_target() {
    let page = page(&example::two_classes());
    let mut ids: Vec<&str> = page.split(" id=\"").skip(1).map(|rest| rest.split('"').next().unwrap()).collect();
    let count = ids.len();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), count);
    for target in page.split("href=\"#").skip(1).map(|rest| rest.split('"').next().unwrap()) {
        assert!(ids.contains(&target), "{target}");
    }
}

#[test]
fn every_number_of_the_record_stands_on_the_page() {
    let record = example::two_classes();
    let page = page(&record);
    // A number that rounds to zero has no sign on the page.
    let fixed =
        |value: &Value| format!("{:.3}", value.finite().unwrap()).replace("-0.000", "0.000").replace('-', "\u{2212}");
    let mut wanted = Vec::new();
    let arms = record.students.iter().flat_map(|group| &group.arms).chain([&record.teacher.arm]);
    for arm in arms {
        let point = arm.operating_point.iter().flat_map(|point| [&point.sensitivity, &point.specificity]);
        let metrics = arm.metrics.iter().chain(arm.per_class.iter().flat_map(|row| &row.metrics));
        for metric in metrics.chain(&arm.teacher_agreement).chain(point) {
            wanted.extend([&metric.value, &metric.low, &metric.high].map(fixed));
        }
        for metric in arm.per_seed.iter().flat_map(|seed| &seed.metrics) {
            wanted.extend([&metric.last, &metric.chosen].map(fixed));
        }
        if ["teacher", "alone", "distilled"].contains(&arm.name.as_str()) {
            let counts = arm.confusion.iter().flat_map(|confusion| confusion.counts.iter().flatten());
            wanted.extend(counts.filter(|count| **count < 1000).map(u64::to_string));
            let calibration = arm.calibration.as_ref().unwrap();
            wanted.extend([&calibration.ece_before, &calibration.ece_after].map(fixed));
        }
    }
    for one in &record.differences {
        wanted.extend([&one.value, &one.low, &one.high].map(fixed));
    }
    wanted.extend(["11,169,345", "78,210", "19,546", "60.0 %", "57.7 %"].map(str::to_owned));
    wanted.extend([&record.dataset.hash, &record.dataset.split_hash, &record.provenance.command].map(Clone::clone));
    assert!(wanted.len() > 500);
    for text in wanted {
        assert!(page.contains(&text), "{text}");
    }
}

#[test]
fn nothing_is_loaded_from_elsewhere() {
    let page = page(&example::two_classes());
    for attribute in [" src=\"", "url(", "@import", "<link", "<script", "<iframe", "<object", " srcset=", "xlink:href"]
    {
        for rest in page.split(attribute).skip(1) {
            assert!(attribute == " src=\"" && rest.starts_with("data:image/png;base64,"), "{attribute}");
        }
    }
    for (at, _) in page.match_indices("http") {
        let before = &page[..at];
        let is_citation = before.ends_with("<a href=\"") || before.ends_with("rel=\"noreferrer\">");
        assert!(is_citation, "{}", &page[at..at + 60]);
    }
}

#[test]
fn foreign_text_is_shown_and_not_run() {
    let mut record = example::three_classes();
    let evil = "<script>alert(1)</script>\" onload=\"x";
    record.title = evil.to_owned();
    record.dataset.classes[0] = evil.to_owned();
    record.dataset.name = format!("https://x\"onclick=\"y {evil}");
    record.dataset.license = "javascript:alert(1)".to_owned();
    record.provenance.recipe_toml = format!("</code></pre>{evil}");
    record.students[0].name = evil.to_owned();
    record.students[0].arms[0].per_class[0].class = evil.to_owned();
    for difference in &mut record.differences {
        difference.student = evil.to_owned();
    }
    record.gaps[0].student = evil.to_owned();
    let mut errors = pictures::errors(&record);
    errors[0].png_base64 = "AAAA\" onerror=\"x".to_owned();
    let page = html::report(&record, &example::timing(), &errors, &[]);
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;"));
    assert!(!page.contains("<script") && !page.contains("onerror") && !page.contains("\" onload=\"x"));
    assert!(!page.contains("href=\"javascript") && !page.contains("\"onclick=\""));
    assert_balanced(&page);
}

#[test]
fn undefined_and_infinite_numbers_are_words() {
    let mut record = example::two_classes();
    let arm = &mut record.students[1].arms[2];
    arm.metrics[0].value = Value::undefined("one class only");
    arm.metrics[0].low = Value::undefined("one class only");
    arm.metrics[1].value = Value::Number(f64::INFINITY);
    arm.metrics[2].value = Value::Number(f64::NAN);
    arm.curves[0].validation[3] = Value::Number(f64::NEG_INFINITY);
    arm.curves[1].terms[0].loss = vec![Value::undefined("diverged"); 12];
    record.gaps[1].recovered = Value::undefined("the gap's interval holds 0");
    record.differences[3].low = Value::undefined("too few seeds");
    record.students[0].network.latency_p50_ms = None;
    record.students[0].network.parameters = 0;
    let page = page(&record);
    assert!(page.contains("title=\"one class only\">undefined</abbr>"));
    for word in ["NaN", "nan%", ">inf%", "=\"inf", "=\"-inf", ",inf", ",-inf"] {
        assert!(!page.contains(word), "{word}");
    }
    assert_balanced(&page);
}

#[test]
fn a_record_with_hardly_anything_still_gives_a_page() {
    let mut record = example::two_classes();
    record.students.clear();
    record.differences.clear();
    record.gaps.clear();
    record.dataset.splits.clear();
    record.teacher.arm.metrics.clear();
    record.teacher.arm.curves.clear();
    let page = html::report(&record, &example::timing(), &[], &[]);
    assert!(page.contains("Nothing can be said") && !page.contains("NaN"));
    assert_balanced(&page);
}
