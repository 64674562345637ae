//! Natural numbers of any size, with the few operations that decimal conversion needs.

/// Little-endian limbs, without leading zeros.
#[derive(Debug, Clone, Default)]
pub(super) struct Natural(Vec<u32>);

/// The largest power of ten in a limb.
const TEN_POWER_9: u32 = 1_000_000_000;

impl Natural {
    /// From decimal digits; the caller checked that they are.
    pub(super) fn from_decimal(digits: &[u8]) -> Self {
        let mut natural = Self::default();
        for chunk in digits.chunks(9) {
            let number = chunk.iter().fold(0, |sum, digit| sum * 10 + u32::from(digit - b'0'));
            natural.multiply_add(10_u32.pow(chunk.len() as u32), number);
        }
        natural
    }

    /// From hexadecimal digits; the caller checked that they are.
    pub(super) fn from_hexadecimal(digits: &[u8]) -> Self {
        let mut natural = Self::default();
        for digit in digits {
            let number = char::from(*digit).to_digit(16).unwrap_or(0);
            natural.multiply_add(16, number);
        }
        natural
    }

    /// `number` times two to the power `shift`.
    pub(super) fn shifted(number: u64, shift: usize) -> Self {
        let mut natural = Self(vec![number as u32, (number >> 32) as u32]);
        natural.shift_left(shift);
        natural
    }

    /// Multiplies by ten to the power `exponent`.
    pub(super) fn multiply_by_ten(&mut self, exponent: usize) {
        for _ in 0..exponent / 9 {
            self.multiply_add(TEN_POWER_9, 0);
        }
        self.multiply_add(10_u32.pow((exponent % 9) as u32), 0);
    }

    /// Divides by ten to the power `exponent`; returns whether there was a remainder.
    pub(super) fn divide_by_ten(&mut self, exponent: usize) -> bool {
        let mut left_over = false;
        for _ in 0..exponent / 9 {
            left_over |= self.divide(TEN_POWER_9) != 0;
        }
        self.divide(10_u32.pow((exponent % 9) as u32)) != 0 || left_over
    }

    /// Multiplies by two to the power `shift`.
    pub(super) fn shift_left(&mut self, shift: usize) {
        self.multiply_add(1 << (shift % 32), 0);
        if !self.0.is_empty() {
            self.0.splice(0..0, std::iter::repeat_n(0, shift / 32));
        }
    }

    /// Position of the highest bit plus one; 0 for zero.
    pub(super) fn bits(&self) -> usize {
        self.0.last().map_or(0, |last| self.0.len() * 32 - last.leading_zeros() as usize)
    }

    /// The highest 128 bits, moved to the top, and whether any lower bit is set.
    pub(super) fn top(&self) -> (u128, bool) {
        let mut limbs = self.0.iter().rev().copied();
        let mut top: u128 = 0;
        for _ in 0..4 {
            top = top << 32 | u128::from(limbs.next().unwrap_or(0));
        }
        let shift = top.leading_zeros();
        let fifth = limbs.next().unwrap_or(0);
        if shift > 0 && shift < 32 {
            top = top << shift | u128::from(fifth >> (32 - shift));
        }
        let rest_of_fifth = if shift < 32 { fifth << shift } else { 0 };
        (top, rest_of_fifth != 0 || limbs.any(|limb| limb != 0))
    }

    /// Decimal digits.
    pub(super) fn into_decimal(mut self) -> String {
        let mut chunks = Vec::new();
        while !self.0.is_empty() {
            chunks.push(self.divide(TEN_POWER_9));
        }
        let first = chunks.pop().unwrap_or(0).to_string();
        chunks.iter().rev().fold(first, |text, chunk| text + &format!("{chunk:09}"))
    }

    fn multiply_add(&mut self, factor: u32, mut carry: u32) {
        for limb in &mut self.0 {
            let product = u64::from(*limb) * u64::from(factor) + u64::from(carry);
            *limb = product as u32;
            carry = (product >> 32) as u32;
        }
        if carry > 0 {
            self.0.push(carry);
        }
        self.trim();
    }

    fn divide(&mut self, divisor: u32) -> u32 {
        let mut remainder = 0;
        for limb in self.0.iter_mut().rev() {
            let dividend = remainder << 32 | u64::from(*limb);
            *limb = (dividend / u64::from(divisor)) as u32;
            remainder = dividend % u64::from(divisor);
        }
        self.trim();
        remainder as u32
    }

    fn trim(&mut self) {
        while self.0.last() == Some(&0) {
            self.0.pop();
        }
    }
}
