//! What becomes of each attribute: the table of PS3.15, and rules for what is not in it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use super::super::dictionary;
use super::super::tag::Tag;

/// What becomes of an attribute.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Action {
    Remove,
    Empty,
    /// A value without meaning, of the same representation.
    Dummy,
    /// A new identifier, the same for the same old one.
    NewUid,
    /// A date as many days earlier as all others of the patient.
    Shift,
    Keep,
}

impl Action {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Remove => "removed",
            Self::Empty => "emptied",
            Self::Dummy => "dummy",
            Self::NewUid => "new UID",
            Self::Shift => "shifted",
            Self::Keep => "kept",
        }
    }
}

/// An option of the profile: facts that are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Retain {
    /// Instance, series, study and all other identifiers (code 113110).
    Uids,
    /// Maker's station, serial numbers and names of the scanner (113109).
    Device,
    /// Names and addresses of the institution (113112).
    Institution,
    /// Sex, age, size, weight and the like (113108).
    PatientCharacteristics,
    /// Dates and times as they are (113106).
    FullDates,
    /// Dates that are as many days earlier as all others of the patient, and times as they are (113107): how long after
    /// one another things happened, and not when.
    ShiftedDates,
    /// Private attributes that the standard lists as holding nothing of a person (113111), such as diffusion weighting
    /// and the factors of PET uptake.
    SafePrivate,
}

impl Retain {
    /// Every option.
    pub const ALL: [Self; 7] = [
        Self::Uids,
        Self::Device,
        Self::Institution,
        Self::PatientCharacteristics,
        Self::FullDates,
        Self::ShiftedDates,
        Self::SafePrivate,
    ];

    /// Name on the command line.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Uids => "uids",
            Self::Device => "device",
            Self::Institution => "institution",
            Self::PatientCharacteristics => "patient-characteristics",
            Self::FullDates => "full-dates",
            Self::ShiftedDates => "shifted-dates",
            Self::SafePrivate => "safe-private",
        }
    }

    /// Code and meaning in DICOM's own terms (PS3.16, context group 7050).
    #[must_use]
    pub const fn code(self) -> (&'static str, &'static str) {
        match self {
            Self::Uids => ("113110", "Retain UIDs Option"),
            Self::Device => ("113109", "Retain Device Identity Option"),
            Self::Institution => ("113112", "Retain Institution Identity Option"),
            Self::PatientCharacteristics => ("113108", "Retain Patient Characteristics Option"),
            Self::FullDates => ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
            Self::ShiftedDates => ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
            Self::SafePrivate => ("113111", "Retain Safe Private Option"),
        }
    }

    /// The option's mark in the table of attributes, where it is there.
    const fn letter(self) -> Option<u8> {
        Some(match self {
            Self::Uids => b'u',
            Self::Device => b'd',
            Self::Institution => b'i',
            Self::PatientCharacteristics => b'p',
            // The table has both for the same attributes.
            Self::FullDates | Self::ShiftedDates => b't',
            Self::SafePrivate => return None,
        })
    }
}

struct Row {
    action: Action,
    kept_by: &'static [u8],
}

static TABLE: LazyLock<BTreeMap<Tag, Row>> = LazyLock::new(|| {
    let row = |(tag, rest): (Tag, &'static str)| {
        let (action, kept_by) = rest.as_bytes().split_first()?;
        let action = match action {
            b'Z' => Action::Empty,
            b'D' => Action::Dummy,
            b'U' => Action::NewUid,
            _ => Action::Remove,
        };
        Some((tag, Row { action, kept_by }))
    };
    dictionary::entries(include_str!("confidentiality.txt")).filter_map(row).collect()
});

/// What becomes of an attribute of this representation under these options; private ones that are safe are told in
/// `private.rs`, since that hangs on what stands beside them.
pub(super) fn action(tag: Tag, vr: [u8; 2], retain: &BTreeSet<Retain>) -> Action {
    if let Some(row) = TABLE.get(&tag) {
        let kept = |option: &Retain| option.letter().is_some_and(|letter| row.kept_by.contains(&letter));
        if retain.iter().any(|option| *option != Retain::ShiftedDates && kept(option)) {
            return Action::Keep;
        }
        return match &vr {
            _ if !retain.iter().any(kept) => row.action,
            b"DA" | b"DT" => Action::Shift,
            // Times of day, and what is inside of a sequence, which is looked at itself.
            b"TM" | b"SQ" => Action::Keep,
            _ => row.action,
        };
    }
    // Private groups; curves and overlays, which draw text into images; group lengths, which no longer hold; and what the
    // standard does not know, which may hold anything.
    let drawn = matches!(tag.0, 0x5000..=0x50FF | 0x6000..=0x60FF);
    let Some(known) = dictionary::vr(tag) else { return Action::Remove };
    if tag.is_private() || drawn || tag.1 == 0 {
        return Action::Remove;
    }
    // The table names every person's name that an image can hold; another one stands at a wrong place.
    if vr == *b"PN" || known == *b"PN" { Action::Empty } else { Action::Keep }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(group: u16, element: u16, retain: &[Retain]) -> Action {
        let tag = Tag(group, element);
        action(tag, dictionary::vr(tag).unwrap_or(*b"LO"), &retain.iter().copied().collect())
    }

    #[test]
    fn the_table_is_the_standards() {
        assert_eq!(TABLE.len(), 652);
        assert_eq!(of(0x0010, 0x0010, &[]), Action::Empty);
        assert_eq!(of(0x0010, 0x1010, &[]), Action::Remove);
        assert_eq!(of(0x0020, 0x000D, &[]), Action::NewUid);
        assert_eq!(of(0x0008, 0x0023, &[]), Action::Dummy);
        assert_eq!(of(0x0028, 0x0010, &[]), Action::Keep);
    }

    #[test]
    fn options_keep_what_they_name_and_nothing_else() {
        assert_eq!(of(0x0010, 0x1010, &[Retain::PatientCharacteristics]), Action::Keep);
        assert_eq!(of(0x0020, 0x000D, &[Retain::Uids]), Action::Keep);
        assert_eq!(of(0x0008, 0x0020, &[Retain::FullDates]), Action::Keep);
        assert_eq!(of(0x0008, 0x0020, &[Retain::ShiftedDates]), Action::Shift);
        assert_eq!(of(0x0008, 0x0030, &[Retain::ShiftedDates]), Action::Keep);
        assert_eq!(of(0x0008, 0x0201, &[Retain::ShiftedDates]), Action::Remove, "a time zone tells where");
        assert_eq!(of(0x0008, 0x0080, &[Retain::Institution]), Action::Keep);
        assert_eq!(of(0x0018, 0x1000, &[Retain::Device]), Action::Keep);
        for option in Retain::ALL {
            assert_eq!(of(0x0010, 0x0010, &[option]), Action::Empty, "no option keeps a name");
            assert_eq!(of(0x0010, 0x0030, &[option]), Action::Empty, "nor a birth date");
        }
    }

    #[test]
    fn what_nobody_knows_goes() {
        for (group, element) in
            [(0x0009, 0x0010), (0x5000, 0x3000), (0x6000, 0x3000), (0x0008, 0x0000), (0x0018, 0xFFFE)]
        {
            assert_eq!(of(group, element, &Retain::ALL), Action::Remove, "{group:04X} {element:04X}");
        }
    }
}
