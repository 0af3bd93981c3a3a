//! Writes the example report to stdout, to look at it in a browser: `cargo run --release --example render -- two`.

#[path = "../tests/report/example.rs"]
mod example;
#[path = "../tests/report/pictures.rs"]
mod pictures;

use std::io::Write;

fn main() -> std::io::Result<()> {
    let record = match std::env::args().nth(1).as_deref() {
        Some("three") => example::three_classes(),
        _ => example::two_classes(),
    };
    let page = kd_report::html::report(&record, &example::timing(), &pictures::errors(&record), &[]);
    std::io::stdout().write_all(page.as_bytes())
}
