//! The code of one core module, as far as marking it and following its calls need it.

use super::blocks::{Block, blocks, offset};
use crate::plugin::inspect::shown;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use wasmparser::{
    ConstExpr, ElementItems, ElementKind, ExternalKind, KnownCustom, Name, Operator, Parser, Payload, TypeRef,
};

/// Longest name of a function that is shown, in characters.
const LONGEST_NAME: usize = 160;

/// A core module.
#[derive(Debug, Default)]
pub struct Code<'a> {
    /// By type index; none: not a type of functions.
    pub types: Vec<Option<String>>,
    pub imported_functions: Vec<(&'a str, &'a str)>,
    pub imported_tables: Vec<(&'a str, &'a str)>,
    pub imported_globals: u32,
    pub globals: u32,
    /// Type index of each function, imported ones first.
    pub function_types: Vec<u32>,
    pub functions: Vec<Function>,
    pub exports: BTreeMap<&'a str, (ExternalKind, u32)>,
    pub elements: Vec<Elements>,
    /// Functions whose reference is taken outside of a table's elements.
    pub referenced: BTreeSet<u32>,
    /// It writes into tables while it runs, so what is called by a number is not said by its elements.
    pub writes_tables: bool,
    names: BTreeMap<u32, String>,
}

/// A function of a module's own.
#[derive(Debug)]
pub struct Function {
    /// Where its body is, in the bytes of the module.
    pub body: Range<usize>,
    pub blocks: Vec<Block>,
    pub calls: BTreeSet<Call>,
    /// It does nothing but hand its arguments on.
    pub forwards: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Call {
    Function(u32),
    /// By an entry of a table, which is always the same one where the code says its number.
    Table {
        table: u32,
        ty: u32,
        entry: Option<u32>,
    },
    /// By a reference.
    Reference,
}

/// What is put into a table.
#[derive(Debug)]
pub struct Elements {
    /// None: wherever the code puts them.
    pub table: Option<u32>,
    /// Where the first goes; none: the file does not say.
    pub first: Option<u32>,
    pub functions: Vec<u32>,
}

impl<'a> Code<'a> {
    pub fn read(module: &'a [u8]) -> wasmparser::Result<Self> {
        let mut code = Self::default();
        for payload in Parser::new(0).parse_all(module) {
            code.take(payload?)?;
        }
        Ok(code)
    }

    fn take(&mut self, payload: Payload<'a>) -> wasmparser::Result<()> {
        match payload {
            Payload::TypeSection(section) => {
                for group in section {
                    for ty in group?.into_types() {
                        self.types.push(match &ty.composite_type.inner {
                            wasmparser::CompositeInnerType::Func(ty) => Some(format!("{ty:?}")),
                            _ => None,
                        });
                    }
                }
            }
            Payload::ImportSection(section) => {
                for import in section.into_imports() {
                    let import = import?;
                    match import.ty {
                        TypeRef::Func(ty) | TypeRef::FuncExact(ty) => {
                            self.imported_functions.push((import.module, import.name));
                            self.function_types.push(ty);
                        }
                        TypeRef::Table(_) => self.imported_tables.push((import.module, import.name)),
                        TypeRef::Global(_) => self.imported_globals += 1,
                        TypeRef::Memory(_) | TypeRef::Tag(_) => {}
                    }
                }
            }
            Payload::FunctionSection(section) => {
                for ty in section {
                    self.function_types.push(ty?);
                }
            }
            Payload::GlobalSection(section) => {
                for global in section {
                    let global = global?;
                    self.globals += 1;
                    self.referenced.extend(reference(&global.init_expr));
                }
            }
            Payload::TableSection(section) => {
                for table in section {
                    if let wasmparser::TableInit::Expr(init) = table?.init {
                        self.referenced.extend(reference(&init));
                    }
                }
            }
            Payload::ExportSection(section) => {
                for export in section {
                    let export = export?;
                    self.exports.insert(export.name, (export.kind, export.index));
                }
            }
            Payload::ElementSection(section) => {
                for element in section {
                    let element = element?;
                    let (table, first) = match element.kind {
                        ElementKind::Active { table_index, offset_expr } => {
                            (Some(table_index.unwrap_or(0)), constant(&offset_expr))
                        }
                        ElementKind::Passive | ElementKind::Declared => (None, None),
                    };
                    let mut functions = Vec::new();
                    match element.items {
                        ElementItems::Functions(items) => {
                            for item in items {
                                functions.push(item?);
                            }
                        }
                        ElementItems::Expressions(_, items) => {
                            for item in items {
                                // What is no function still takes its place; no module has as many.
                                functions.push(reference(&item?).unwrap_or(u32::MAX));
                            }
                        }
                    }
                    self.elements.push(Elements { table, first, functions });
                }
            }
            Payload::CodeSectionEntry(body) => {
                let range = body.range();
                let function = Function {
                    body: offset(range.start)..offset(range.end),
                    blocks: blocks(&body)?,
                    calls: BTreeSet::new(),
                    forwards: true,
                };
                let function = self.follow(function, &body)?;
                self.functions.push(function);
            }
            Payload::CustomSection(custom) => {
                if let KnownCustom::Name(section) = custom.as_known() {
                    // Names are for people; damaged ones are as none.
                    let _ = self.take_names(section);
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn follow(
        &mut self,
        mut function: Function,
        body: &wasmparser::FunctionBody<'_>,
    ) -> wasmparser::Result<Function> {
        let mut operators = body.get_operators_reader()?;
        // The number that the instruction before left.
        let mut number = None;
        while !operators.eof() {
            let operator = operators.read()?;
            let entry = number.take();
            match operator {
                Operator::I32Const { value } => number = Some(value as u32),
                Operator::LocalGet { .. } | Operator::End => {}
                Operator::CallIndirect { type_index, table_index }
                | Operator::ReturnCallIndirect { type_index, table_index } => {
                    function.calls.insert(Call::Table { table: table_index, ty: type_index, entry });
                }
                Operator::Call { function_index } | Operator::ReturnCall { function_index } => {
                    function.calls.insert(Call::Function(function_index));
                    function.forwards = false;
                }
                other => {
                    function.forwards = false;
                    match other {
                        Operator::CallRef { .. } | Operator::ReturnCallRef { .. } => {
                            function.calls.insert(Call::Reference);
                        }
                        Operator::RefFunc { function_index } => {
                            self.referenced.insert(function_index);
                        }
                        Operator::TableSet { .. }
                        | Operator::TableInit { .. }
                        | Operator::TableCopy { .. }
                        | Operator::TableFill { .. }
                        | Operator::TableGrow { .. } => self.writes_tables = true,
                        _ => {}
                    }
                }
            }
        }
        Ok(function)
    }

    fn take_names(&mut self, section: wasmparser::NameSectionReader<'a>) -> wasmparser::Result<()> {
        for name in section {
            if let Name::Function(names) = name? {
                for name in names {
                    let name = name?;
                    let plain = format!("{:#}", rustc_demangle::demangle(name.name));
                    self.names.insert(name.index, shown(&plain, LONGEST_NAME));
                }
            }
        }
        Ok(())
    }

    /// What a function is called: by its author, or by the name that it is exported under, or by its number.
    pub fn name(&self, function: u32) -> String {
        if let Some(name) = self.names.get(&function) {
            return name.clone();
        }
        let exported = self.exports.iter().find(|(_, item)| **item == (ExternalKind::Func, function));
        exported.map_or_else(|| format!("function {function}"), |(name, _)| shown(name, LONGEST_NAME))
    }

    /// The number of a function of its own among all, imported ones first.
    pub fn number(&self, own: usize) -> u32 {
        (self.imported_functions.len() + own) as u32
    }

    /// Whether a module only connects others, as the tools put some into a component: every function of it hands its
    /// arguments on, and it can do nothing by itself.
    pub fn is_glue(&self) -> bool {
        self.functions.iter().all(|function| function.forwards)
    }

    pub fn signature(&self, ty: u32) -> Option<&str> {
        self.types.get(ty as usize)?.as_deref()
    }
}

/// The number that an expression always has.
fn constant(expression: &ConstExpr<'_>) -> Option<u32> {
    let mut operators = expression.get_operators_reader();
    match (operators.read().ok()?, operators.read().ok()?) {
        (Operator::I32Const { value }, Operator::End) => Some(value as u32),
        _ => None,
    }
}

/// The function that an expression refers to.
fn reference(expression: &ConstExpr<'_>) -> Option<u32> {
    let mut operators = expression.get_operators_reader();
    loop {
        match operators.read().ok()? {
            Operator::RefFunc { function_index } => return Some(function_index),
            Operator::End => return None,
            _ => {}
        }
    }
}
