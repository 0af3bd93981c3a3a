//! Licence expressions (SPDX, and the older `A/B`), evaluated against an allow list.

/// True when the expression can be satisfied by licences that `allowed` accepts: one side of each `OR`, both of each
/// `AND`. `A WITH E` is one licence. None when the text is no expression.
pub(super) fn satisfied(expression: &str, allowed: &dyn Fn(&str) -> bool) -> Option<bool> {
    let spaced = expression.replace('(', " ( ").replace(')', " ) ").replace('/', " OR ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut parser = Parser { words: &words, at: 0, allowed };
    let value = parser.any_of()?;
    (parser.at == words.len()).then_some(value)
}

struct Parser<'a> {
    words: &'a [&'a str],
    at: usize,
    allowed: &'a dyn Fn(&str) -> bool,
}

impl Parser<'_> {
    fn take(&mut self, word: &str) -> bool {
        let is_next = self.words.get(self.at) == Some(&word);
        self.at += usize::from(is_next);
        is_next
    }

    fn any_of(&mut self) -> Option<bool> {
        let mut value = self.all_of()?;
        while self.take("OR") {
            value |= self.all_of()?;
        }
        Some(value)
    }

    fn all_of(&mut self) -> Option<bool> {
        let mut value = self.one()?;
        while self.take("AND") {
            value &= self.one()?;
        }
        Some(value)
    }

    fn one(&mut self) -> Option<bool> {
        if self.take("(") {
            let value = self.any_of()?;
            return self.take(")").then_some(value);
        }
        let mut licence = self.name()?.to_owned();
        if self.take("WITH") {
            licence = format!("{licence} WITH {}", self.name()?);
        }
        Some((self.allowed)(&licence))
    }

    fn name(&mut self) -> Option<&str> {
        let word = *self.words.get(self.at)?;
        self.at += 1;
        (!["OR", "AND", "WITH", "(", ")"].contains(&word)).then_some(word)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn permissive(expression: &str) -> Option<bool> {
        satisfied(expression, &|id| ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"].contains(&id))
    }

    #[test]
    fn or_needs_one_side_and_and_needs_both() {
        for (expression, expected) in [
            ("MIT", true),
            ("GPL-3.0", false),
            ("GPL-3.0 OR MIT", true),
            ("GPL-3.0 / MIT", true),
            ("GPL-3.0/MIT", true),
            ("GPL-3.0 AND MIT", false),
            ("(GPL-3.0 OR MIT) AND ISC", true),
            ("MIT AND GPL-3.0 OR ISC", true),
            ("ISC AND (GPL-3.0 OR MPL-2.0)", false),
            ("Apache-2.0 WITH LLVM-exception", true),
            ("Apache-2.0", false),
        ] {
            assert_eq!(permissive(expression), Some(expected), "{expression}");
        }
    }

    #[test]
    fn what_is_no_expression_is_not_satisfied() {
        for text in ["", "MIT OR", "(MIT", "MIT ISC", "MIT WITH", "AND MIT"] {
            assert_eq!(permissive(text), None, "{text}");
        }
    }
}
