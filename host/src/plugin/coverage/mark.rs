//! Writes a component anew so that each piece of its code leaves a mark when it runs.
//!
//! A mark is a bit of a global that the module gets behind its own, so no number in its code changes; and a function
//! behind its own reads them, which the component exports. The guest has no import more, its memory is not touched,
//! and nothing in its code knows of the globals. It takes more fuel, and more room on the stack.
//!
//! Sections are copied byte for byte but for those that get an item more, and the code.

use super::blocks::offset;
use super::code::Code;
use crate::plugin::anatomy::wiring::{CoreInstance, Module, Wiring};
use wasm_encoder::{
    Alias, BlockType, CanonicalFunctionSection, ComponentAliasSection, ComponentExportKind,
    ComponentExportSection, ComponentTypeSection, Encode, ExportKind, Function, Instruction,
    PrimitiveValType, RawSection,
};
use wasmparser::{Parser, Payload};

/// What a module exports its marks as, and the component them; behind it stand letters that tell instances apart.
const EXPORT: &str = "windlass-coverage";
/// Most marks of a module; the largest procedure that there is has a fiftieth.
const MOST_MARKS: usize = 1 << 20;
/// As many as a call may have.
const MOST_INSTANCES: usize = 64;

/// A component that marks what of it runs.
pub struct Marked {
    pub component: Vec<u8>,
    /// How to read the marks of each instance.
    pub readers: Vec<Reader>,
}

/// An export of a marked component.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reader {
    pub export: String,
    /// Which of the component's modules it tells of, by its number.
    pub module: usize,
    /// How many numbers of 64 marks it has.
    pub words: u32,
}

/// Writes a component anew; `codes` are the modules at its top, none for one of elsewhere.
pub fn mark(
    component: &[u8],
    wiring: &Wiring<'_>,
    codes: &[Option<Code<'_>>],
) -> Result<Marked, &'static str> {
    let mut made = vec![];
    made.extend_from_slice(component.get(..8).ok_or("it is cut short")?);
    let mut modules = wiring.modules.iter().enumerate();
    for (id, content) in sections(component)? {
        let mut marked = None;
        if id == MODULE {
            let here = modules.by_ref().find_map(|(index, module)| match module {
                Module::Here(_) => Some(index),
                Module::Elsewhere => None,
            });
            if let Some(code) = here.and_then(|index| code_of(codes, index)) {
                marked = Some(mark_module(content, code)?);
            }
        }
        made.push(id);
        marked.as_deref().unwrap_or(content).encode(&mut made);
    }
    let readers = readers(wiring, codes)?;
    export(&mut made, wiring, &readers);
    Ok(Marked { component: made, readers: readers.into_iter().map(|(_, reader)| reader).collect() })
}

/// The section of a component that is a module.
const MODULE: u8 = 1;

/// The sections at the top, by their kind and what is in them.
fn sections(bytes: &[u8]) -> Result<Vec<(u8, &[u8])>, &'static str> {
    let damaged = "its sections cannot be told apart";
    let mut sections = Vec::new();
    let mut reader = wasmparser::BinaryReader::new(bytes.get(8..).ok_or(damaged)?, 8);
    while !reader.eof() {
        let id = reader.read_u8().map_err(|_| damaged)?;
        let length = reader.read_var_u32().map_err(|_| damaged)?;
        sections.push((id, reader.read_bytes(length as usize).map_err(|_| damaged)?));
    }
    Ok(sections)
}

/// The code of a module that has any; some only fill tables.
fn code_of<'c, 'a>(codes: &'c [Option<Code<'a>>], module: usize) -> Option<&'c Code<'a>> {
    codes.get(module)?.as_ref().filter(|code| !code.functions.is_empty())
}

fn marks(code: &Code<'_>) -> usize {
    code.functions.iter().map(|function| function.blocks.len()).sum()
}

fn words(code: &Code<'_>) -> u32 {
    marks(code).div_ceil(64) as u32
}

/// The instances of marked modules.
fn readers(wiring: &Wiring<'_>, codes: &[Option<Code<'_>>]) -> Result<Vec<(u32, Reader)>, &'static str> {
    let mut readers = Vec::new();
    for (instance, of) in wiring.core_instances.iter().enumerate() {
        let CoreInstance::Of { module, .. } = of else { continue };
        let module = *module as usize;
        let Some(code) = code_of(codes, module) else { continue };
        if readers.len() == MOST_INSTANCES {
            return Err("it has more instances than a call may have");
        }
        // A digit may not stand behind a dash in the name of an export.
        let letters: String =
            instance.to_string().bytes().map(|digit| (digit - b'0' + b'a') as char).collect();
        let export = format!("{EXPORT}-{letters}");
        readers.push((instance as u32, Reader { export, module, words: words(code) }));
    }
    Ok(readers)
}

/// Appends what lifts the functions that read marks to exports of the component.
fn export(made: &mut Vec<u8>, wiring: &Wiring<'_>, readers: &[(u32, Reader)]) {
    let mut types = ComponentTypeSection::new();
    types.function().params([("number", PrimitiveValType::U32)]).result(Some(PrimitiveValType::U64.into()));
    let mut aliases = ComponentAliasSection::new();
    let mut functions = CanonicalFunctionSection::new();
    let mut exports = ComponentExportSection::new();
    for (number, (instance, reader)) in readers.iter().enumerate() {
        let number = number as u32;
        aliases.alias(Alias::CoreInstanceExport {
            instance: *instance,
            kind: ExportKind::Func,
            name: EXPORT,
        });
        functions.lift(wiring.core_functions.len() as u32 + number, wiring.types, []);
        exports.export(&*reader.export, ComponentExportKind::Func, wiring.functions() + number, None);
    }
    append(made, &types);
    append(made, &aliases);
    append(made, &functions);
    append(made, &exports);
}

fn append(made: &mut Vec<u8>, section: &impl wasm_encoder::ComponentSection) {
    made.push(section.id());
    section.encode(made);
}

fn mark_module(module: &[u8], code: &Code<'_>) -> Result<Vec<u8>, &'static str> {
    let damaged = "a module of it cannot be read";
    if marks(code) > MOST_MARKS {
        return Err("it has more code than can be measured");
    }
    let first_global = code.imported_globals + code.globals;
    let mut made = module.get(..8).ok_or(damaged)?.to_vec();
    let mut additions = Additions::new(code);
    for payload in Parser::new(0).parse_all(module) {
        let payload = payload.map_err(|_| damaged)?;
        // The hints of a compiler name places in the code, which move.
        if matches!(&payload, Payload::CustomSection(custom) if custom.name().starts_with("metadata.code")) {
            continue;
        }
        let Some((id, range)) = payload.as_section() else { continue };
        let content = module.get(offset(range.start)..offset(range.end)).ok_or(damaged)?;
        additions.before(id, &mut made);
        match id {
            CODE => {
                let body = mark_code(module, code, first_global).ok_or(damaged)?;
                section(&mut made, CODE, &body);
            }
            _ => match additions.take(id) {
                Some(item) => section(&mut made, id, &one_more(content, &item).ok_or(damaged)?),
                None => section(&mut made, id, content),
            },
        }
    }
    Ok(made)
}

const TYPE: u8 = 1;
const FUNCTION: u8 = 3;
const GLOBAL: u8 = 6;
const EXPORTS: u8 = 7;
const CODE: u8 = 10;

/// Items that sections get behind their own, as their number and their bytes.
struct Additions(Vec<(u8, (u32, Vec<u8>))>);

impl Additions {
    fn new(code: &Code<'_>) -> Self {
        // A function from i32 to i64.
        let ty = vec![0x60, 1, 0x7f, 1, 0x7e];
        let mut function = Vec::new();
        (code.types.len() as u32).encode(&mut function);
        // A mutable i64, 0 in the beginning.
        let global = [0x7e, 0x01, 0x42, 0x00, 0x0b].repeat(words(code) as usize);
        let mut export = Vec::new();
        EXPORT.encode(&mut export);
        export.push(0);
        code.number(code.functions.len()).encode(&mut export);
        Self(vec![
            (TYPE, (1, ty)),
            (FUNCTION, (1, function)),
            (GLOBAL, (words(code), global)),
            (EXPORTS, (1, export)),
        ])
    }

    fn take(&mut self, id: u8) -> Option<(u32, Vec<u8>)> {
        let index = self.0.iter().position(|(of, _)| *of == id)?;
        Some(self.0.remove(index).1)
    }

    /// Writes the sections that a module does not have and that stand before another.
    fn before(&mut self, next: u8, made: &mut Vec<u8>) {
        let rank = |id: u8| ORDER.iter().position(|other| *other == id);
        let Some(next) = rank(next) else { return };
        while let Some((id, _)) = self.0.first()
            && rank(*id).is_some_and(|rank| rank < next)
        {
            let (id, item) = self.0.remove(0);
            if let Some(content) = one_more(&[0], &item) {
                section(made, id, &content);
            }
        }
    }
}

/// The order of a module's sections: types, imports, functions, tables, memories, tags, globals, exports, start,
/// elements, number of data, code, data.
const ORDER: [u8; 13] = [1, 2, 3, 4, 5, 13, 6, 7, 8, 9, 12, 10, 11];

fn section(made: &mut Vec<u8>, id: u8, content: &[u8]) {
    made.push(id);
    RawSection { id, data: content }.encode(made);
}

/// A section that is a list, with more at its end.
fn one_more(content: &[u8], (more, bytes): &(u32, Vec<u8>)) -> Option<Vec<u8>> {
    let mut reader = wasmparser::BinaryReader::new(content, 0);
    let count = reader.read_var_u32().ok()?;
    let mut made = Vec::with_capacity(content.len() + bytes.len() + 5);
    count.checked_add(*more)?.encode(&mut made);
    made.extend_from_slice(content.get(offset(reader.original_position())..)?);
    made.extend_from_slice(bytes);
    Some(made)
}

fn mark_code(module: &[u8], code: &Code<'_>, first_global: u32) -> Option<Vec<u8>> {
    let mut made = Vec::with_capacity(module.len() * 2);
    (code.functions.len() as u32 + 1).encode(&mut made);
    let mut mark = 0u32;
    for function in &code.functions {
        let mut body = Vec::with_capacity(function.body.len() * 2);
        let mut from = function.body.start;
        for block in &function.blocks {
            body.extend_from_slice(module.get(from..block.at)?);
            from = block.at;
            let global = first_global + mark / 64;
            for instruction in [
                Instruction::GlobalGet(global),
                Instruction::I64Const(1i64 << (mark % 64)),
                Instruction::I64Or,
                Instruction::GlobalSet(global),
            ] {
                instruction.encode(&mut body);
            }
            mark += 1;
        }
        body.extend_from_slice(module.get(from..function.body.end)?);
        body.encode(&mut made);
    }
    reading(first_global, words(code)).encode(&mut made);
    Some(made)
}

/// The function that returns 64 marks by their number, and none for a number that is too large.
fn reading(first_global: u32, words: u32) -> Function {
    let mut function = Function::new([]);
    for _ in 0..=words {
        function.instruction(&Instruction::Block(BlockType::Empty));
    }
    function.instruction(&Instruction::LocalGet(0));
    function.instruction(&Instruction::BrTable((0..words).collect::<Vec<_>>().into(), words));
    for word in 0..words {
        function.instruction(&Instruction::End);
        function.instruction(&Instruction::GlobalGet(first_global + word));
        function.instruction(&Instruction::Return);
    }
    function.instruction(&Instruction::End);
    function.instruction(&Instruction::I64Const(0));
    function.instruction(&Instruction::End);
    function
}
