//! The operator at the terminal: the plan and its question, secrets, instructions.

use super::follow::Agreed;
use super::show::Shown;
use crate::capability::operator::Operator;
use crate::capability::secrets::{Secret, source};
use crate::cli::ui::Ui;
use crate::model::{Event, PlannedStep, Roles};
use crate::report;
use crate::run::{Asker, GoAhead};
use std::sync::Arc;

pub struct TerminalOperator {
    ui: Ui,
    shown: Arc<Shown>,
    yes: bool,
    impact: String,
    agreed: Agreed,
}

impl TerminalOperator {
    pub fn new(ui: Ui, shown: Arc<Shown>, yes: bool, impact: String, agreed: Agreed) -> Self {
        Self { ui, shown, yes, impact, agreed }
    }
}

impl Asker for TerminalOperator {
    fn go_ahead(&self, roles: Option<&Roles>, steps: &[PlannedStep]) -> GoAhead {
        if self.ui.is_json() {
            self.ui.json(&Event::Planned {
                title: String::new(),
                impact: self.impact.clone(),
                steps: steps.to_vec(),
            });
        } else {
            for line in plan_lines(steps, &self.impact) {
                self.shown.line(&line);
            }
        }
        if let Err(fault) = (self.agreed)(roles, steps) {
            return GoAhead::Refused(fault);
        }
        if self.yes {
            return GoAhead::Yes;
        }
        match self.shown.pause(|| self.ui.ask("Go ahead?")) {
            Some(true) => GoAhead::Yes,
            Some(false) => GoAhead::No,
            None => GoAhead::Nobody,
        }
    }
}

impl Operator for TerminalOperator {
    fn confirm(&self, question: &str, impact: &str) -> Option<bool> {
        if !impact.is_empty() {
            self.shown.line(impact);
        }
        if self.yes {
            self.shown.line(&format!("{question} yes (--yes)"));
            return Some(true);
        }
        self.shown.pause(|| self.ui.ask(question))
    }

    fn secret(&self, prompt: &str) -> Option<std::io::Result<Secret>> {
        if !self.ui.interactive {
            return None;
        }
        Some(self.shown.pause(|| source::terminal(prompt)))
    }

    fn instruct(&self, instruction: &str) -> Option<bool> {
        self.shown.line(instruction);
        self.shown.pause(|| self.ui.ask("Is it done?"))
    }
}

fn plan_lines(steps: &[PlannedStep], impact: &str) -> Vec<String> {
    let width = steps.iter().map(|step| step.id.as_str().len()).max().unwrap_or(0);
    let mut lines = vec!["what will happen:".to_string()];
    for step in steps {
        lines.push(format!("  {:<width$}  {}{}", step.id, step.title, report::on(&step.nodes)));
        if !step.impact.is_empty() {
            lines.push(format!("  {:<width$}  impact: {}", "", step.impact));
        }
    }
    if !impact.is_empty() {
        lines.push(format!("impact: {impact}"));
    }
    lines
}
