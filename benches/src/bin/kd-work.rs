//! One side of a side-by-side: does a piece of work for each line `step` on its standard input and answers with the
//! seconds that it took. `cargo xtask bench peers` alternates it with the program that does the same.
//!
//! `kd-work NAME FOLDER`; lines `step`, `memory` and `versions`. `kd-work files FOLDER` makes the files that both sides read.

use std::io::{BufRead as _, Write as _};
use std::path::Path;
use std::time::Instant;

use kd_bench::peak_memory;
use kd_bench::work::{WORKS, make_files, prepare};

/// One line of the protocol; a reader that went away ends the program.
fn answer(line: std::fmt::Arguments) {
    if writeln!(std::io::stdout().lock(), "{line}").is_err() {
        std::process::exit(0);
    }
}

fn main() {
    // As `kd` does.
    kd_kernels::keep_freed_memory();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [name, folder] = &arguments[..] else { return usage() };
    if name == "files" {
        return make_files(Path::new(folder));
    }
    let Some(mut work) = prepare(name, Path::new(folder)) else { return usage() };
    let idle = peak_memory();
    work();
    answer(format_args!("ready"));
    for line in std::io::stdin().lock().lines() {
        match line.as_deref() {
            Ok("step") => {
                let begun = Instant::now();
                work();
                answer(format_args!("{:.9}", begun.elapsed().as_secs_f64()));
            }
            Ok("versions") => answer(format_args!("kd {}", env!("CARGO_PKG_VERSION"))),
            Ok("memory") => answer(format_args!("{idle} {}", peak_memory())),
            _ => break,
        }
    }
}

fn usage() {
    answer(format_args!("usage: kd-work {} FOLDER", WORKS.join("|")));
    std::process::exit(2);
}
