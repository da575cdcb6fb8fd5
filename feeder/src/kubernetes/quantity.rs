//! Kubernetes quantities (`500m`, `16Gi`, `1e3`) by their real grammar, exact down to a billionth.
//!
//! Grammar: <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>. As in the API
//! server, what is finer than a billionth is rounded up and what is larger than 2^63-1 is cut there.

use std::str::FromStr;

/// Billionths of a unit.
const NANO: i128 = 1_000_000_000;

/// An amount, in billionths of its unit (a CPU, a byte, a piece).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quantity(i128);

/// A text that is no quantity.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not a Kubernetes quantity")]
pub struct NotAQuantity(String);

/// What the registry counts a quantity in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    /// CPUs, or pieces.
    One,
    /// GiB, of bytes.
    GiB,
}

impl Unit {
    fn nano(self) -> i128 {
        match self {
            Self::One => NANO,
            Self::GiB => NANO << 30,
        }
    }
}

impl Quantity {
    /// The largest one.
    const MAX: i128 = i64::MAX as i128 * NANO;

    /// In whole units, rounded down: the safe way for a limit. Never below 0.
    pub fn limit(self, unit: Unit) -> i64 {
        whole(self.0.div_euclid(unit.nano()))
    }

    /// In whole units, rounded up: the safe way for what is in use. Never below 0.
    pub fn usage(self, unit: Unit) -> i64 {
        whole(-(-self.0).div_euclid(unit.nano()))
    }
}

fn whole(units: i128) -> i64 {
    i64::try_from(units.max(0)).unwrap_or(i64::MAX)
}

impl FromStr for Quantity {
    type Err = NotAQuantity;

    fn from_str(text: &str) -> Result<Self, NotAQuantity> {
        let refused = || NotAQuantity(text.chars().take(40).collect());
        let (negative, unsigned) = match text.as_bytes().first() {
            Some(b'-') => (true, &text[1..]),
            Some(b'+') => (false, &text[1..]),
            _ => (false, text),
        };
        let end = unsigned.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(unsigned.len());
        let (number, suffix) = unsigned.split_at(end);
        let (before, after) = number.split_once('.').unwrap_or((number, ""));
        if after.contains('.') || (before.is_empty() && after.is_empty()) {
            return Err(refused());
        }
        let Suffix { unit, shift } = suffix.parse().map_err(|()| refused())?;
        let digits: Vec<u8> = before.bytes().chain(after.bytes()).map(|digit| digit - b'0').collect();
        let point = i64::try_from(before.len()).unwrap_or(i64::MAX).saturating_add(shift);
        let magnitude = magnitude(&digits, point, unit);
        Ok(Self(if negative { -magnitude } else { magnitude }))
    }
}

/// What follows the number: the number of billionths it counts in, and by how many digits the point moves.
struct Suffix {
    unit: i128,
    shift: i64,
}

impl FromStr for Suffix {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let decimal = |power: u32| Ok(Self { unit: 10_i128.pow(power), shift: 0 });
        let binary = |power: u32| Ok(Self { unit: NANO << (10 * power), shift: 0 });
        match text {
            "n" => decimal(0),
            "u" => decimal(3),
            "m" => decimal(6),
            "" => decimal(9),
            "k" => decimal(12),
            "M" => decimal(15),
            "G" => decimal(18),
            "T" => decimal(21),
            "P" => decimal(24),
            "E" => decimal(27),
            "Ki" => binary(1),
            "Mi" => binary(2),
            "Gi" => binary(3),
            "Ti" => binary(4),
            "Pi" => binary(5),
            "Ei" => binary(6),
            _ => {
                let exponent = text.strip_prefix(['e', 'E']).ok_or(())?;
                // parse() takes a sign, as the grammar does; a 32-bit exponent is all that the API server takes
                let exponent: i32 = exponent.parse().map_err(|_| ())?;
                Ok(Self { unit: NANO, shift: exponent.into() })
            }
        }
    }
}

/// `0.digits * 10^point * unit`, rounded up, cut at the largest quantity.
fn magnitude(digits: &[u8], point: i64, unit: i128) -> i128 {
    let Some(first) = digits.iter().position(|digit| *digit != 0) else { return 0 };
    let digits = &digits[first..];
    let point = point.saturating_sub(i64::try_from(first).unwrap_or(i64::MAX));
    // with a first digit that is not 0, 30 places before the point are beyond the largest quantity
    // in any unit, and 30 zeros behind it below a billionth
    if point > 30 {
        return Quantity::MAX;
    }
    if point < -30 {
        return 1;
    }
    let mut whole: i128 = 0;
    let mut places = point;
    let mut rest = digits.iter();
    while places > 0 {
        whole = whole * 10 + i128::from(rest.next().copied().unwrap_or(0));
        places -= 1;
    }
    // the fraction times the unit, by long multiplication from the last digit on: exact for any length
    let zeros = usize::try_from(-point).unwrap_or(0);
    let mut carry: i128 = 0;
    let mut remainder = false;
    for digit in rest.rev().copied().chain(std::iter::repeat_n(0, zeros)) {
        let product = i128::from(digit) * unit + carry;
        remainder |= product % 10 != 0;
        carry = product / 10;
    }
    let fraction = carry + i128::from(remainder);
    whole.saturating_mul(unit).saturating_add(fraction).min(Quantity::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nano(text: &str) -> i128 {
        text.parse::<Quantity>().unwrap().0
    }

    #[test]
    fn every_form_that_the_api_server_answers() {
        for (text, expected) in [
            ("0", 0),
            ("1", NANO),
            ("+1", NANO),
            ("-1", -NANO),
            (".5", NANO / 2),
            ("5.", 5 * NANO),
            ("007", 7 * NANO),
            ("7500m", 7_500_000_000),
            ("100n", 100),
            ("3u", 3_000),
            ("1k", 1_000 * NANO),
            ("2500M", 2_500_000_000 * NANO),
            ("50G", 50_000_000_000 * NANO),
            ("1T", 1_000_000_000_000 * NANO),
            ("153685725Ki", 153_685_725 * 1024 * NANO),
            ("35328Mi", (35_328 << 20) * NANO),
            ("1.5Gi", (3 << 29) * NANO),
            ("2.5Gi", (5 << 29) * NANO),
            ("1Ti", (1 << 40) * NANO),
            ("8Pi", (1 << 53) * NANO),
            ("1e3", 1_000 * NANO),
            ("12E6", 12_000_000 * NANO),
            ("1e1", 10 * NANO),
            ("1e+2", 100 * NANO),
            ("15e-1", 1_500_000_000),
            ("0.0015e3", 1_500_000_000),
            ("2E", 2_000_000_000_000_000_000 * NANO),
            ("196083712500m", 196_083_712_500_000_000),
            ("34996609280", 34_996_609_280 * NANO),
        ] {
            assert_eq!(nano(text), expected, "{text}");
        }
    }

    #[test]
    fn finer_than_a_billionth_rounds_up_and_too_large_is_cut() {
        assert_eq!(nano("0.1n"), 1);
        assert_eq!(nano("-0.1n"), -1);
        assert_eq!(nano("1.00000000000000000000000000000000000000000000001"), NANO + 1);
        assert_eq!(nano("1e-1000000000"), 1);
        assert_eq!(nano("0e1000000000"), 0);
        for large in
            ["8Ei", "9223372036854775807", "9223372036854775808", "1e30", "1e2000000000", &"9".repeat(500)]
        {
            assert_eq!(nano(large), Quantity::MAX, "{large}");
        }
        assert_eq!(nano("7.9999999999999999999999999999999999Ei"), Quantity::MAX);
        assert_eq!(nano("-1e40"), -Quantity::MAX);
    }

    #[test]
    fn what_is_no_quantity() {
        for text in [
            "",
            " ",
            "m",
            ".",
            "-",
            "1 ",
            " 1",
            "1,5",
            "1.2.3",
            "1ki",
            "1K",
            "1Mb",
            "1e",
            "1e1.5",
            "1e+",
            "0x1",
            "١",
            "1e99999999999",
        ] {
            assert_eq!(text.parse::<Quantity>(), Err(NotAQuantity(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn limits_go_down_and_usage_goes_up() {
        let both = |text: &str, unit| {
            let quantity: Quantity = text.parse().unwrap();
            (quantity.limit(unit), quantity.usage(unit))
        };
        assert_eq!(both("7500m", Unit::One), (7, 8));
        assert_eq!(both("8", Unit::One), (8, 8));
        assert_eq!(both("1n", Unit::One), (0, 1));
        assert_eq!(both("1Ti", Unit::GiB), (1024, 1024));
        assert_eq!(both("50G", Unit::GiB), (46, 47));
        assert_eq!(both("196083712500m", Unit::GiB), (0, 1));
        assert_eq!(both("-5", Unit::One), (0, 0));
    }

    /// The canonical form in powers of ten, as the API server writes it: the largest suffix that leaves a whole number.
    fn canonical_decimal(nano: i128) -> String {
        let suffixes = ["E", "P", "T", "G", "M", "k", "", "m", "u", "n"];
        let (step, suffix) =
            (0_u32..).zip(suffixes).find(|(step, _)| nano % 1000_i128.pow(9 - step) == 0).unwrap();
        format!("{}{suffix}", nano / 1000_i128.pow(9 - step))
    }

    /// The canonical form in powers of two, of whole units.
    fn canonical_binary(units: i128) -> String {
        let suffixes = ["Ei", "Pi", "Ti", "Gi", "Mi", "Ki", ""];
        let (step, suffix) =
            (0_u32..).zip(suffixes).find(|(step, _)| units % (1 << (10 * (6 - step))) == 0).unwrap();
        format!("{}{suffix}", units >> (10 * (6 - step)))
    }

    proptest! {
        #[test]
        fn canonical_forms_come_back(amount in -Quantity::MAX..=Quantity::MAX, shift in 0_u32..90) {
            let amount = amount >> shift;
            prop_assert_eq!(nano(&canonical_decimal(amount)), amount);
            let units = amount / NANO;
            prop_assert_eq!(nano(&canonical_binary(units)), units * NANO);
        }

        #[test]
        fn order_and_rounding_hold(a in 0..=Quantity::MAX, b in 0..=Quantity::MAX) {
            let (small, large) = (Quantity(a.min(b)), Quantity(a.max(b)));
            for unit in [Unit::One, Unit::GiB] {
                prop_assert!(small.limit(unit) <= large.limit(unit));
                prop_assert!(small.usage(unit) <= large.usage(unit));
                let (down, up) = (i128::from(small.limit(unit)), i128::from(small.usage(unit)));
                prop_assert!(down * unit.nano() <= small.0 && small.0 <= up * unit.nano() && up - down <= 1);
            }
        }

        #[test]
        fn an_exponent_moves_the_point(whole in 0_u64..1_000_000, fraction in "[0-9]{0,12}", exponent in -6_i32..6) {
            let text = format!("{whole}.{fraction}e{exponent}");
            let digits = format!("{whole}{fraction}");
            let scale = 9 + exponent - i32::try_from(fraction.len()).unwrap();
            let digits: i128 = digits.parse().unwrap();
            let expected = if scale >= 0 {
                digits * 10_i128.pow(scale.unsigned_abs())
            } else {
                -(-digits).div_euclid(10_i128.pow(scale.unsigned_abs()))
            };
            prop_assert_eq!(nano(&text), expected);
        }

        #[test]
        fn no_text_breaks_it(text in "\\PC*") {
            let _ = text.parse::<Quantity>();
        }

        #[test]
        fn nothing_near_the_grammar_breaks_it(text in "[-+]?[0-9.]{0,60}(e|E|Ki|Ei|m|n)?[-+]?[0-9]{0,11}") {
            if let Ok(quantity) = text.parse::<Quantity>() {
                prop_assert!(quantity.0.abs() <= Quantity::MAX);
            }
        }
    }
}
