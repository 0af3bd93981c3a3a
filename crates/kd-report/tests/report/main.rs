//! Tests of the rendered text, on made-up records; one binary, so that it links once.

mod comparing;
mod example;
mod page;
mod pictures;
mod record;
mod text;
mod verdicts;
