//! When to run: a cron expression in a time zone, by the clock on the wall there.
//!
//! The library finds the next time where all days have 24 hours; what happens where they have not is decided here
//! (`docs/decisions/summer-time.md`).

use std::str::FromStr;

use chrono::{DateTime, FixedOffset, Offset, TimeDelta, TimeZone, Utc};
use chrono_tz::Tz;
use croner::Cron;
use croner::parser::{CronParser, Seconds};

/// A schedule that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ScheduleError {
    /// The expression is not understood.
    #[error(
        "`schedule` is {expression:?}, which is no cron expression ({why}): write five fields, such as \"*/15 * * * *\" \
         (every 15 minutes), or six with seconds first"
    )]
    Expression {
        /// As written.
        expression: String,
        /// What the library says.
        why: String,
    },
    /// The time zone is not known.
    #[error("`time_zone` is {0:?}: write a name of the IANA database, such as Europe/Rome or UTC")]
    TimeZone(String),
    /// Signals cannot be heard.
    #[error("signals cannot be heard: {0}")]
    Signals(String),
}

/// A cron expression (five fields, or six with seconds first) in a time zone.
///
/// A time that the change to summer time leaves out comes right after the gap; one that the change back brings twice
/// comes once, unless the expression repeats within the hour anyway.
#[derive(Debug, Clone)]
pub struct Schedule {
    cron: Cron,
    zone: Tz,
    /// Whether it names no hours, so that it comes in a doubled hour twice.
    every_hour: bool,
}

impl Schedule {
    /// Reads both.
    pub fn parse(expression: &str, zone: &str) -> Result<Self, ScheduleError> {
        let parser = CronParser::builder().seconds(Seconds::Optional).build();
        let cron = parser.parse(expression).map_err(|why| ScheduleError::Expression {
            expression: expression.to_owned(),
            why: why.to_string(),
        })?;
        let zone = Tz::from_str(zone).map_err(|_| ScheduleError::TimeZone(zone.to_owned()))?;
        let hours = expression.split_whitespace().rev().nth(3).unwrap_or_default();
        Ok(Self { cron, zone, every_hour: hours.starts_with('*') })
    }

    /// The first time after a moment; none when there is none in this world.
    pub fn after(&self, moment: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (mut from, mut inclusive) = (moment, false);
        loop {
            let offset = self.offset(from);
            let next = self.cron.find_next_occurrence(&from.with_timezone(&offset), inclusive).ok()?;
            let next = next.with_timezone(&Utc);
            let Some(change) = self.change(from, next) else {
                if self.every_hour || !self.comes_again(next) {
                    return Some(next).filter(|next| *next > moment);
                }
                (from, inclusive) = (next, false);
                continue;
            };
            // the hands jump over it: right after
            if next < change + self.jump(change) && change > moment {
                return Some(change);
            }
            (from, inclusive) = (change, true);
        }
    }

    fn offset(&self, at: DateTime<Utc>) -> FixedOffset {
        self.zone.offset_from_utc_datetime(&at.naive_utc()).fix()
    }

    /// How far the hands are put forward at a change; less than nothing when they are put back.
    fn jump(&self, change: DateTime<Utc>) -> TimeDelta {
        let seconds = |at| i64::from(self.offset(at).local_minus_utc());
        TimeDelta::seconds(seconds(change) - seconds(change - TimeDelta::seconds(1)))
    }

    /// The first moment of another offset between two moments, the second included.
    fn change(&self, from: DateTime<Utc>, to: DateTime<Utc>) -> Option<DateTime<Utc>> {
        // two changes are weeks apart
        let step = TimeDelta::days(7);
        let mut before = from;
        let mut after = loop {
            let next = (before + step).min(to);
            if self.offset(next) != self.offset(from) {
                break next;
            }
            if next == to {
                return None;
            }
            before = next;
        };
        while after - before > TimeDelta::seconds(1) {
            let middle = before + (after - before) / 2;
            if self.offset(middle) == self.offset(from) { before = middle } else { after = middle }
        }
        DateTime::from_timestamp(after.timestamp(), 0)
    }

    /// Whether the wall showed the same time before the hands were put back.
    fn comes_again(&self, at: DateTime<Utc>) -> bool {
        let local = at.with_timezone(&self.zone).naive_local();
        self.zone.from_local_datetime(&local).earliest().is_some_and(|first| first < at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
        let schedule = Schedule::parse(expression, zone).unwrap();
        let mut at: DateTime<Utc> = from.parse().unwrap();
        let mut times = Vec::new();
        for _ in 0..count {
            at = schedule.after(at).unwrap();
            times.push(at.format("%d %H:%M").to_string());
        }
        times
    }

    #[test]
    fn to_summer_time_nothing_is_left_out_or_doubled() {
        // 29 March 2026, 02:00 in Rome becomes 03:00, which is 01:00 in UTC
        let quarter = times("*/15 * * * *", "Europe/Rome", "2026-03-29T00:30:00Z", 4);
        assert_eq!(quarter, ["29 00:45", "29 01:00", "29 01:15", "29 01:30"]);
        let daily = times("0 6 * * *", "Europe/Rome", "2026-03-27T12:00:00Z", 3);
        assert_eq!(daily, ["28 05:00", "29 04:00", "30 04:00"], "six o'clock on the wall");
        let within = times("30 2 * * *", "Europe/Rome", "2026-03-28T12:00:00Z", 2);
        assert_eq!(within, ["29 01:00", "30 00:30"], "half past two is not there: right after the gap");
    }

    #[test]
    fn back_from_summer_time_nothing_is_left_out_or_doubled() {
        // 25 October 2026, 03:00 in Rome becomes 02:00, which is 01:00 in UTC
        let half = times("*/30 * * * *", "Europe/Rome", "2026-10-24T23:45:00Z", 5);
        assert_eq!(
            half,
            ["25 00:00", "25 00:30", "25 01:00", "25 01:30", "25 02:00"],
            "the doubled hour twice"
        );
        let daily = times("0 6 * * *", "Europe/Rome", "2026-10-24T12:00:00Z", 2);
        assert_eq!(daily, ["25 05:00", "26 05:00"]);
        let within = times("30 2 * * *", "Europe/Rome", "2026-10-24T12:00:00Z", 2);
        assert_eq!(within, ["25 00:30", "26 01:30"], "half past two comes twice and is kept once");
    }

    #[test]
    fn five_and_six_fields_are_understood_and_nothing_else() {
        assert_eq!(times("*/20 * * * *", "UTC", "2026-01-01T00:01:00Z", 2), ["01 00:20", "01 00:40"]);
        assert_eq!(times("0 */15 * * * *", "UTC", "2026-01-01T00:01:00Z", 1), ["01 00:15"]);
        for wrong in ["", "hourly", "61 * * * *", "* * * *"] {
            let error = Schedule::parse(wrong, "UTC").unwrap_err();
            assert!(error.to_string().contains("write five fields"), "{wrong}: {error}");
        }
        let error = Schedule::parse("* * * * *", "Rome").unwrap_err();
        assert!(error.to_string().contains("Europe/Rome"), "{error}");
    }
}
