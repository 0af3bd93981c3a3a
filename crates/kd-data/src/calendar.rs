//! Days and the dates that they have in the Gregorian calendar.

use std::fmt;

/// A date.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Date {
    /// Year.
    pub year: i64,
    /// 1 to 12.
    pub month: i64,
    /// 1 to 31.
    pub day: i64,
}

impl fmt::Display for Date {
    /// As `2026-01-31`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// Days from 0000-03-01 to 1970-01-01.
const EPOCH: i64 = 719_468;
/// Days of four hundred years.
const ERA: i64 = 146_097;

impl Date {
    /// The date of a day counted from 1970-01-01.
    ///
    /// # Source
    /// Hinnant 2013, `civil_from_days`: years are counted from March, so that a leap day is a year's last day and months
    /// have a regular pattern.
    ///
    /// # Example
    /// ```
    /// use kd_data::calendar::Date;
    /// let date = Date::of_day(11_016);
    /// assert_eq!((date.to_string().as_str(), date.day_number()), ("2000-02-29", Some(11_016)));
    /// ```
    #[must_use]
    pub fn of_day(day: i64) -> Self {
        let days = day + EPOCH;
        let (era, day_of_era) = (days.div_euclid(ERA), days.rem_euclid(ERA));
        let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
        let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
        let shifted = (5 * day_of_year + 2) / 153;
        let month = if shifted < 10 { shifted + 3 } else { shifted - 9 };
        Self {
            year: era * 400 + year_of_era + i64::from(month <= 2),
            month,
            day: day_of_year - (153 * shifted + 2) / 5 + 1,
        }
    }

    /// The day counted from 1970-01-01; none for a date that is not in the calendar.
    #[must_use]
    pub fn day_number(self) -> Option<i64> {
        let Self { year, month, day } = self;
        if !((1..=9999).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day)) {
            return None;
        }
        let from_march = year - i64::from(month <= 2);
        let (era, year_of_era) = (from_march.div_euclid(400), from_march.rem_euclid(400));
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let number = era * ERA + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH;
        // The 30th of February has a number, and is another date.
        (Self::of_day(number) == self).then_some(number)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates_across_leap_days_and_centuries_and_back() {
        // From `date -u -d '1970-01-01 + N days' +%F`.
        for (day, expected) in [
            (-25_567, "1900-01-01"),
            (0, "1970-01-01"),
            (789, "1972-02-29"),
            (790, "1972-03-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (19_782, "2024-02-29"),
            (20_485, "2026-02-01"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(Date::of_day(day).to_string(), expected);
            assert_eq!(Date::of_day(day).day_number(), Some(day));
        }
    }

    #[test]
    fn what_is_in_no_calendar_has_no_number() {
        for [year, month, day] in [[2023, 2, 29], [2024, 2, 30], [2100, 2, 29], [2024, 13, 1], [2024, 0, 1], [0, 1, 1]]
        {
            assert_eq!(Date { year, month, day }.day_number(), None);
        }
    }
}
