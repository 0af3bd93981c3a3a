//! A CSV table with a header.

#![no_main]

use kd_data::format::read_table;
use kd_fuzz::{file, told};

kd_fuzz::bounded!();

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some(table) = told(read_table(&file(bytes, "csv"))) else { return };
    for column in table.header().to_vec() {
        if let Some(texts) = told(table.texts(&column)) {
            assert_eq!(texts.len(), table.len());
        }
        if let Some(numbers) = told(table.numbers(&column)) {
            assert!(numbers.iter().all(|number| number.is_finite()), "{column}");
        }
    }
});
