//! Rust source without its comments and literals, so that a rule does not trip over a word in prose or in a string.
//!
//! A small scanner instead of a parser: the rules ask for words, and a full syntax tree would cost more build time than
//! the rest of this program.

/// The text with comments and the insides of string and character literals blanked out. Lines keep their numbers.
pub(super) fn without_comments_and_literals(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    while at < chars.len() {
        let end = match (chars[at], chars.get(at + 1)) {
            ('/', Some('/')) => line_end(&chars, at),
            ('/', Some('*')) => block_comment_end(&chars, at),
            ('"', _) => string_end(&chars, at),
            ('r', Some('"' | '#')) if !continues_word(&chars, at) => raw_string_end(&chars, at).unwrap_or(at),
            ('\'', _) => char_end(&chars, at).unwrap_or(at),
            _ => at,
        };
        if end == at {
            kept.push(chars[at]);
            at += 1;
        } else {
            // Line breaks stay, so that line numbers stay.
            kept.push(' ');
            kept.extend(chars[at..end].iter().filter(|&&c| c == '\n'));
            at = end;
        }
    }
    kept
}

/// Blanks everything from the first `#[cfg(test)]` that opens an inline module: by house rule tests come last.
pub(super) fn without_inline_tests(code: &str) -> String {
    let lines: Vec<&str> = code.lines().collect();
    let is_test_module = |&at: &usize| {
        lines[at].trim() == "#[cfg(test)]"
            && lines[at + 1..]
                .iter()
                .map(|line| line.trim())
                .find(|line| !line.is_empty() && !line.starts_with("#["))
                .is_some_and(|line| line.starts_with("mod ") && line.ends_with('{'))
    };
    let end = (0..lines.len()).find(is_test_module).unwrap_or(lines.len());
    lines[..end].join("\n")
}

/// True where `word` stands in `line` and is not part of a longer word.
pub(super) fn has_word(line: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    line.match_indices(word).any(|(at, _)| {
        let before = line[..at].chars().next_back();
        let after = line[at + word.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}

fn continues_word(chars: &[char], at: usize) -> bool {
    // `br"…"` is a literal as well, `str"` does not exist: only a longer word before the `r` hides a raw string.
    at > 0 && (chars[at - 1].is_alphanumeric() || chars[at - 1] == '_') && chars[at - 1] != 'b'
}

fn line_end(chars: &[char], at: usize) -> usize {
    chars[at..].iter().position(|&c| c == '\n').map_or(chars.len(), |length| at + length)
}

fn block_comment_end(chars: &[char], at: usize) -> usize {
    let mut depth = 0;
    let mut here = at;
    while here < chars.len() {
        match (chars[here], chars.get(here + 1)) {
            ('/', Some('*')) => {
                depth += 1;
                here += 2;
            }
            ('*', Some('/')) => {
                depth -= 1;
                here += 2;
                if depth == 0 {
                    return here;
                }
            }
            _ => here += 1,
        }
    }
    chars.len()
}

fn string_end(chars: &[char], at: usize) -> usize {
    let mut here = at + 1;
    while here < chars.len() {
        match chars[here] {
            '\\' => here += 2,
            '"' => return here + 1,
            _ => here += 1,
        }
    }
    chars.len()
}

fn raw_string_end(chars: &[char], at: usize) -> Option<usize> {
    let hashes = chars[at + 1..].iter().take_while(|&&c| c == '#').count();
    let open = at + 1 + hashes;
    if chars.get(open) != Some(&'"') {
        return None;
    }
    let closes = |&here: &usize| {
        chars[here] == '"'
            && chars.len() >= here + 1 + hashes
            && chars[here + 1..here + 1 + hashes].iter().all(|&c| c == '#')
    };
    Some((open + 1..chars.len()).find(closes).map_or(chars.len(), |here| here + 1 + hashes))
}

/// The end of a character literal; none for a lifetime.
fn char_end(chars: &[char], at: usize) -> Option<usize> {
    if chars.get(at + 1) == Some(&'\\') {
        let close = chars.get(at + 3..)?.iter().position(|&c| c == '\'')?;
        return Some(at + 3 + close + 1);
    }
    (chars.get(at + 2) == Some(&'\'')).then_some(at + 3)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_lines_kept() {
        let text = "a // gone\nb /* gone /* deep */\n gone */ c\nd \"gone \\\" gone\" e r#\"gone \" gone\"# f '\"' g 'x: \
                    '\\'' h";
        let kept = without_comments_and_literals(text);
        assert!(!kept.contains("gone"), "{kept}");
        for letter in ["a", "b", "c", "d", "e", "f", "g", "h"] {
            assert!(has_word(&kept, letter), "{letter} in {kept}");
        }
        assert_eq!(kept.lines().count(), text.lines().count());
    }

    #[test]
    fn lifetimes_are_no_literals() {
        assert_eq!(without_comments_and_literals("fn f<'a>(x: &'a str)"), "fn f<'a>(x: &'a str)");
    }

    #[test]
    fn a_word_is_not_found_inside_a_longer_one() {
        assert!(has_word("x = unsafe { y }", "unsafe"));
        assert!(!has_word("unsafe_code", "unsafe"));
    }

    #[test]
    fn inline_tests_are_cut_and_a_test_only_import_is_not() {
        let code = "#[cfg(test)]\nuse a;\nfn f() {}\n#[cfg(test)]\nmod tests {\n    secret\n}";
        let kept = without_inline_tests(code);
        assert!(kept.contains("fn f()") && !kept.contains("secret"));
    }
}
