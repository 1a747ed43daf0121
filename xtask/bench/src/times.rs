//! Durations, in seconds, and what they come to.

use std::time::Instant;

/// Measured times, sorted.
pub struct Times(Vec<f64>);

impl Times {
    pub fn new(mut seconds: Vec<f64>) -> Self {
        seconds.sort_by(f64::total_cmp);
        Self(seconds)
    }

    /// Does something several times, once before to warm up.
    pub fn of(count: usize, mut work: impl FnMut() -> crate::Result<()>) -> crate::Result<Self> {
        work()?;
        let mut seconds = Vec::with_capacity(count);
        for _ in 0..count {
            let began = Instant::now();
            work()?;
            seconds.push(began.elapsed().as_secs_f64());
        }
        Ok(Self::new(seconds))
    }

    pub fn median(&self) -> f64 {
        self.at(50)
    }

    pub fn p95(&self) -> f64 {
        self.at(95)
    }

    /// The time that this share of a hundred does not exceed.
    fn at(&self, percent: usize) -> f64 {
        let last = self.0.len().saturating_sub(1);
        self.0
            .get((self.0.len() * percent).div_ceil(100).saturating_sub(1).min(last))
            .copied()
            .unwrap_or(f64::NAN)
    }
}

/// Returns a time in the unit that suits it.
pub fn shown(seconds: f64) -> String {
    match seconds.abs() {
        s if s < 1e-3 => format!("{:.2} µs", seconds * 1e6),
        s if s < 1.0 => format!("{:.1} ms", seconds * 1e3),
        _ => format!("{seconds:.2} s"),
    }
}
