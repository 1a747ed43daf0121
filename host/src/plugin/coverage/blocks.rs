//! The straight pieces of a function: code that runs from its first instruction to its last, or traps on the way.

use wasmparser::{FunctionBody, Operator};

/// A piece of a function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Block {
    /// Where its first instruction is, in the bytes that the function was read from.
    pub at: usize,
    /// How many instructions it has; those that only mark where a piece of code begins or ends are none.
    pub instructions: u32,
}

/// Returns the pieces of a function, the first of which is where it is entered.
pub fn blocks(body: &FunctionBody<'_>) -> wasmparser::Result<Vec<Block>> {
    let mut operators = body.get_operators_reader()?;
    let entry = offset(operators.original_position());
    let mut blocks = vec![Block { at: entry, instructions: 0 }];
    // Whether the next instruction begins a piece; the function's first is in the one that is there.
    let mut begins = false;
    while !operators.eof() {
        let (operator, at) = operators.read_with_offset()?;
        match operator {
            Operator::Block { .. } | Operator::TryTable { .. } => continue,
            // Code may come back to it, or get there from elsewhere.
            Operator::Loop { .. } | Operator::Else | Operator::End => {
                begins = true;
                continue;
            }
            _ => {}
        }
        if begins {
            blocks.push(Block { at: offset(at), instructions: 0 });
        }
        if let Some(block) = blocks.last_mut() {
            block.instructions += 1;
        }
        begins = leaves(&operator);
    }
    Ok(blocks)
}

/// Whether what stands behind an instruction may not run although the instruction did, a trap apart.
fn leaves(operator: &Operator<'_>) -> bool {
    matches!(
        operator,
        Operator::If { .. }
            | Operator::Br { .. }
            | Operator::BrIf { .. }
            | Operator::BrTable { .. }
            | Operator::BrOnNull { .. }
            | Operator::BrOnNonNull { .. }
            | Operator::BrOnCast { .. }
            | Operator::BrOnCastFail { .. }
            | Operator::Return
            | Operator::ReturnCall { .. }
            | Operator::ReturnCallIndirect { .. }
            | Operator::ReturnCallRef { .. }
            | Operator::Unreachable
            | Operator::Throw { .. }
            | Operator::ThrowRef
    )
}

/// A position in a file; one that no memory could hold is the largest there is, and is found nowhere.
pub fn offset(position: u64) -> usize {
    usize::try_from(position).unwrap_or(usize::MAX)
}
