//! A run's story as it happens: a live line for each node on a terminal, plain lines elsewhere, JSON events.

use crate::cli::ui::{Loudness, Ui};
use crate::effect::Events;
use crate::model::Event;
use crate::report;
use indicatif::{ProgressBar, ProgressStyle};
use std::io::IsTerminal as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// Where events are shown.
pub struct Shown {
    ui: Ui,
    /// The step under way; only on a terminal.
    bar: Mutex<Option<ProgressBar>>,
    terminal: bool,
}

impl Shown {
    pub fn new(ui: &Ui) -> Arc<Self> {
        let terminal = std::io::stderr().is_terminal() && !ui.is_json() && ui.loudness != Loudness::Quiet;
        Arc::new(Self { ui: ui.clone(), bar: Mutex::default(), terminal })
    }

    pub fn events(self: &Arc<Self>) -> Events {
        let shown = self.clone();
        Arc::new(move |event| shown.event(event))
    }

    fn event(&self, event: &Event) {
        if self.ui.is_json() {
            self.ui.json(event);
            return;
        }
        let verbose = self.ui.loudness == Loudness::Verbose;
        match event {
            Event::StepBegan { step, title, .. } if self.terminal => self.begin(&format!("{step}: {title}")),
            Event::StepDone { step } if self.terminal => {
                self.end();
                self.ui.say(format!("ok {step}"));
            }
            Event::Output { node, line } if self.terminal => self.detail(&format!("{node}: {line}")),
            Event::Effect { effect, .. } if self.terminal && !verbose => {
                self.detail(&effect.to_string());
                if let Some(line) = report::event_line(event, verbose) {
                    self.line(&line);
                }
            }
            _ => {
                if matches!(event, Event::StepFailed { .. } | Event::RunEnded { .. }) {
                    self.end();
                }
                if let Some(line) = report::event_line(event, verbose) {
                    self.line(&line);
                }
            }
        }
    }

    /// A line above what is under way.
    pub fn line(&self, line: &str) {
        if self.ui.is_json() {
            return;
        }
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bar {
            Some(bar) => bar.suspend(|| self.ui.say(line)),
            None => self.ui.say(line),
        }
    }

    /// Lets a question have the terminal to itself.
    pub fn pause<T>(&self, question: impl FnOnce() -> T) -> T {
        let bar = self.bar.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match bar {
            Some(bar) => bar.suspend(question),
            None => question(),
        }
    }

    pub fn finish(&self) {
        self.end();
    }

    fn begin(&self, title: &str) {
        self.end();
        let bar = ProgressBar::new_spinner();
        if let Ok(style) = ProgressStyle::with_template("{spinner} {prefix} [{elapsed}] {wide_msg}") {
            bar.set_style(style);
        }
        bar.set_prefix(title.to_string());
        bar.enable_steady_tick(Duration::from_millis(120));
        *self.bar.lock().unwrap_or_else(PoisonError::into_inner) = Some(bar);
    }

    fn detail(&self, text: &str) {
        if let Some(bar) = &*self.bar.lock().unwrap_or_else(PoisonError::into_inner) {
            bar.set_message(text.to_string());
        }
    }

    fn end(&self) {
        if let Some(bar) = self.bar.lock().unwrap_or_else(PoisonError::into_inner).take() {
            bar.finish_and_clear();
        }
    }
}
