//! One data set without what names a person.

use std::collections::BTreeMap;

use super::super::data_set::{DataSet, Element, Value};
use super::super::dictionary;
use super::super::encode::Encoder;
use super::super::tag::{self, Tag};
use super::super::uid::Uid;
use super::profile::{Action, Retain, action};
use super::{Deidentification, private};
use crate::calendar::Date;
use crate::format::error::Problem;

/// What a representation holds when it means nothing.
fn dummy(vr: [u8; 2]) -> &'static [u8] {
    match &vr {
        b"DA" => b"19000101",
        b"TM" => b"000000",
        b"DT" => b"19000101000000",
        b"AS" => b"000Y",
        b"IS" | b"DS" => b"0",
        b"US" | b"SS" | b"OB" | b"OW" | b"UN" => &[0; 2],
        b"UL" | b"SL" | b"FL" | b"AT" | b"OF" | b"OL" => &[0; 4],
        b"FD" | b"OD" | b"OV" | b"SV" | b"UV" => &[0; 8],
        _ => b"REMOVED",
    }
}

/// Dates, each as many days earlier; one that is none, or not whole, becomes a dummy. Times behind a date stay.
fn shifted(vr: [u8; 2], bytes: &[u8], days: i64) -> Vec<u8> {
    let text = String::from_utf8_lossy(bytes);
    let one = |old: &str| {
        let old = old.trim_matches([' ', '\0']);
        if old.is_empty() {
            return String::new();
        }
        earlier(old, days).unwrap_or_else(|| String::from_utf8_lossy(dummy(vr)).into_owned())
    };
    text.split('\\').map(one).collect::<Vec<_>>().join("\\").into_bytes()
}

/// `YYYYMMDD`, and what stands behind it.
fn earlier(old: &str, days: i64) -> Option<String> {
    let (date, rest) = old.split_at_checked(8).filter(|(date, _)| date.bytes().all(|digit| digit.is_ascii_digit()))?;
    let number = |from: usize, to: usize| date[from..to].parse().ok();
    let date = Date { year: number(0, 4)?, month: number(4, 6)?, day: number(6, 8)? };
    let Date { year, month, day } = Date::of_day(date.day_number()? - days);
    (year > 0).then(|| format!("{year:04}{month:02}{day:02}{rest}"))
}

/// Attributes that were changed, each once.
pub(super) type Changes = BTreeMap<Tag, Action>;

pub(super) struct Cleaner<'a> {
    pub(super) request: &'a Deidentification,
    /// What stands for the patient.
    pub(super) subject: &'a str,
    /// How much earlier the patient's dates become, where they are shifted.
    pub(super) days: i64,
}

impl Cleaner<'_> {
    /// A new identifier, the same for the same old one; identifiers that the standard defines stay.
    pub(super) fn uid(&self, old: &str) -> Uid {
        match Uid::new(old) {
            Ok(known) if self.request.retain.contains(&Retain::Uids) || old.starts_with("1.2.840.10008.") => known,
            _ => Uid::derived(&[b"deidentified", &self.request.salt.0, old.as_bytes()]),
        }
    }

    /// Writes a data set without what names a person; the top one with `more` attributes, which replace its own.
    pub(super) fn write(
        &self,
        set: &DataSet<'_>,
        mut more: BTreeMap<Tag, Added>,
        into: &mut Encoder,
        changes: &mut Changes,
    ) -> Result<(), Problem> {
        for (&tag, element) in &set.elements {
            while let Some(entry) = more.first_entry().filter(|entry| *entry.key() < tag) {
                let (tag, added) = entry.remove_entry();
                added.write(tag, into)?;
            }
            match more.remove(&tag) {
                Some(added) => {
                    // The patient's own; what a copy says of itself is no change of what was there.
                    if tag.0 == 0x0010 {
                        changes.insert(tag, Action::Dummy);
                    }
                    added.write(tag, into)?;
                }
                None => self.element(set, tag, element, into, changes)?,
            }
        }
        more.into_iter().try_for_each(|(tag, added)| added.write(tag, into))
    }

    fn element(
        &self,
        set: &DataSet<'_>,
        tag: Tag,
        element: &Element<'_>,
        into: &mut Encoder,
        changes: &mut Changes,
    ) -> Result<(), Problem> {
        let vr = element.meant_vr(tag);
        let action = if tag.is_private() && self.request.retain.contains(&Retain::SafePrivate) {
            private::action(set, tag, vr)
        } else {
            action(tag, vr, &self.request.retain)
        };
        if action != Action::Keep && tag.1 != 0 {
            changes.insert(tag, action);
        }
        match (action, &element.value) {
            (Action::Remove, _) => Ok(()),
            (Action::Dummy, _) if vr != *b"SQ" => into.element(tag, vr, dummy(vr)),
            // An empty sequence stands for a dummy, too: an item of it would have to be made up.
            (Action::Empty | Action::Dummy, _) => into.element(tag, vr, b""),
            (Action::Shift, Value::Bytes(bytes)) => into.element(tag, vr, &shifted(vr, bytes, self.days)),
            (Action::Shift, _) => into.element(tag, vr, dummy(vr)),
            (Action::NewUid, Value::Bytes(bytes)) => {
                let text = String::from_utf8_lossy(bytes);
                let olds = text.split('\\').map(|old| old.trim_end_matches(['\0', ' ']));
                let news: Vec<String> = olds
                    .map(|old| if old.is_empty() { String::new() } else { self.uid(old).as_str().to_owned() })
                    .collect();
                into.element(tag, vr, news.join("\\").as_bytes())
            }
            (Action::Keep | Action::NewUid, Value::Items(items)) => {
                into.sequence(tag, element.vr, items, |into, item| self.write(item, BTreeMap::new(), into, changes))
            }
            (Action::Keep, Value::Bytes(_)) if vr == *b"SQ" => {
                // A sequence that could not be opened could hold anything.
                changes.insert(tag, Action::Empty);
                into.element(tag, vr, b"")
            }
            (Action::Keep, Value::Bytes(bytes)) => into.element(tag, vr, bytes),
            (Action::Keep | Action::NewUid, Value::Fragments(fragments)) => into.fragments(tag, element.vr, fragments),
        }
    }

    /// What a de-identified data set says of itself.
    pub(super) fn statements(&self) -> BTreeMap<Tag, Added> {
        let text = |value: &str| Added::Text(value.to_owned());
        let mut codes = vec![("113100", "Basic Application Confidentiality Profile")];
        codes.extend(self.request.retain.iter().map(|option| option.code()));
        let has = |option| self.request.retain.contains(&option);
        let temporal = match (has(Retain::FullDates), has(Retain::ShiftedDates)) {
            (true, _) => "UNMODIFIED",
            (false, true) => "MODIFIED",
            (false, false) => "REMOVED",
        };
        BTreeMap::from([
            (Tag(0x0010, 0x0010), text(self.subject)),
            (tag::PATIENT_ID, text(self.subject)),
            (Tag(0x0012, 0x0062), text("YES")),
            (Tag(0x0012, 0x0063), text(concat!("kd ", env!("CARGO_PKG_VERSION"), ", PS3.15 2026c"))),
            (Tag(0x0012, 0x0064), Added::Codes(codes)),
            (Tag(0x0028, 0x0303), text(temporal)),
        ])
    }
}

/// An attribute that was not there, or not so.
pub(super) enum Added {
    Text(String),
    /// A sequence of coded concepts.
    Codes(Vec<(&'static str, &'static str)>),
}

impl Added {
    fn write(&self, tag: Tag, into: &mut Encoder) -> Result<(), Problem> {
        match self {
            Self::Text(text) => into.element(tag, dictionary::vr(tag).unwrap_or(*b"LO"), text.as_bytes()),
            Self::Codes(codes) => into.sequence(tag, *b"SQ", codes, |into, (value, meaning)| {
                into.element(Tag(0x0008, 0x0100), *b"SH", value.as_bytes())?;
                into.element(Tag(0x0008, 0x0102), *b"SH", b"DCM")?;
                into.element(Tag(0x0008, 0x0104), *b"LO", meaning.as_bytes())
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_move_together_and_what_is_none_means_nothing() {
        let moved = |vr: &[u8; 2], text: &str| String::from_utf8(shifted(*vr, text.as_bytes(), 60)).unwrap();
        assert_eq!(moved(b"DA", "20240430"), "20240301");
        assert_eq!(moved(b"DA", "20240429\\20240430 "), "20240229\\20240301");
        assert_eq!(moved(b"DT", "20240430101500.25+0100"), "20240301101500.25+0100");
        assert_eq!(moved(b"DT", "2024"), "19000101000000");
        assert_eq!(moved(b"DA", "2024.04.30"), "19000101");
        assert_eq!(moved(b"DA", "20240230"), "19000101");
        assert_eq!(moved(b"DA", ""), "");
        assert_eq!(moved(b"DA", "\u{e4}\u{f6}\u{fc}\u{df}1"), "19000101");
    }
}
