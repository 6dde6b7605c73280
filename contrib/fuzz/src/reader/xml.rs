//! XML by `roxmltree`, entities of its own document type included. What a comment says is no part
//! of it; that it is there is.

use roxmltree::{Document, Node, NodeType, ParsingOptions};

use crate::token::Token;

pub fn read(document: &[u8]) -> Option<Vec<Token>> {
    let text = std::str::from_utf8(document).ok()?;
    let options = ParsingOptions { allow_dtd: true, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text, options).ok()?;
    let mut tokens = Vec::new();
    let mut at = document.root().first_child();
    while let Some(node) = at {
        enter(node, &mut tokens);
        at = node.first_child().or_else(|| behind(node, &mut tokens));
    }
    Some(tokens)
}

fn enter(node: Node<'_, '_>, tokens: &mut Vec<Token>) {
    match node.node_type() {
        NodeType::Root => {}
        NodeType::Comment => tokens.push(Token::Fixed("comment".to_owned())),
        NodeType::PI => {
            let instruction = node.pi();
            let target = instruction.map_or("", |pi| pi.target);
            tokens.push(Token::Fixed(format!("?{target}")));
            tokens.push(Token::text(instruction.and_then(|pi| pi.value).unwrap_or_default()));
        }
        NodeType::Text => match (tokens.last_mut(), node.text().unwrap_or_default()) {
            (_, "") => {}
            (Some(Token::Run(before)), text) => before.push_str(text),
            (_, text) => tokens.push(Token::Run(text.to_owned())),
        },
        NodeType::Element => {
            tokens.push(Token::items(format!("{:?}", node.tag_name())));
            for attribute in node.attributes() {
                let (space, name) = (attribute.namespace(), attribute.name());
                tokens.push(Token::Fixed(format!("@{space:?} {name}")));
                tokens.push(Token::text(attribute.value()));
            }
        }
    }
}

/// The node that follows one with no children, or whose children are done.
fn behind<'a, 'd>(node: Node<'a, 'd>, tokens: &mut Vec<Token>) -> Option<Node<'a, 'd>> {
    let mut node = node;
    loop {
        if node.is_element() {
            tokens.push(Token::Close);
        }
        match node.next_sibling() {
            Some(next) => return Some(next),
            None => node = node.parent()?,
        }
    }
}
