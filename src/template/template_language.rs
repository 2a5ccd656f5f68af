//! What a template may say: names, filters, conditions. Nothing that repeats, calls or joins.
//!
//! minijinja bounds how many instructions a template runs, but not how much memory a single one takes (`'x' * 999999999`,
//! `|indent(999999999)`, a text that is joined to itself in a loop), nor how deep its parser goes. So what can make a text
//! much larger than what went in is no part of our templates, and nothing in them binds a name. The tokens come from
//! minijinja itself, so that both see the same ones.

use minijinja::machinery::{Token, tokenize};
use minijinja::syntax::SyntaxConfig;
use minijinja::{Environment, Error, ErrorKind, UndefinedBehavior, filters, tests as checks};

use super::{FUEL, RENDERED_BYTES_MAX};

/// Most words and signs between the braces of one template; minijinja's parser goes one level deeper for some of them.
const TOKENS_MAX: usize = 600;

/// The filters of templates.
const FILTERS: [&str; 15] = [
    "abs",
    "capitalize",
    "count",
    "d",
    "default",
    "first",
    "int",
    "last",
    "length",
    "lower",
    "replace",
    "round",
    "title",
    "trim",
    "upper",
];

/// The words with which a `{% %}` may begin.
const STATEMENTS: [&str; 4] = ["if", "elif", "else", "endif"];

/// Words of the language that a parenthesis may follow.
const WORDS: [&str; 8] = ["and", "or", "not", "in", "is", "if", "elif", "else"];

/// Returns an environment that knows what templates may use, and nothing else.
pub fn environment() -> Environment<'static> {
    let mut environment = Environment::empty();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_fuel(Some(FUEL));
    environment.add_filter("abs", filters::abs);
    environment.add_filter("capitalize", filters::capitalize);
    environment.add_filter("count", filters::length);
    environment.add_filter("d", filters::default);
    environment.add_filter("default", filters::default);
    environment.add_filter("first", filters::first);
    environment.add_filter("int", filters::int);
    environment.add_filter("last", filters::last);
    environment.add_filter("length", filters::length);
    environment.add_filter("lower", filters::lower);
    environment.add_filter("replace", replace);
    environment.add_filter("round", filters::round);
    environment.add_filter("title", filters::title);
    environment.add_filter("trim", filters::trim);
    environment.add_filter("upper", filters::upper);
    environment.add_test("defined", checks::is_defined);
    environment.add_test("undefined", checks::is_undefined);
    environment.add_test("none", checks::is_none);
    environment.add_test("in", checks::is_in);
    environment.add_test("startingwith", checks::is_startingwith);
    environment.add_test("endingwith", checks::is_endingwith);
    environment
}

/// Replaces each occurrence of a text, as far as the result stays within bounds.
fn replace(text: String, from: String, to: String) -> Result<String, Error> {
    let count = text.matches(&from).count();
    if text.len() + count * to.len() > RENDERED_BYTES_MAX {
        let words = format!("`replace` makes the text longer than {RENDERED_BYTES_MAX} bytes");
        return Err(Error::new(ErrorKind::InvalidOperation, words));
    }
    Ok(text.replace(&from, &to))
}

/// Says what a template uses that it may not. What is no template at all is left to minijinja to tell.
pub fn check(source: &str) -> Result<(), String> {
    let mut before: [Option<Token<'_>>; 2] = [None, None];
    let mut count = 0;
    for token in tokenize(source, false, SyntaxConfig::default()) {
        let Ok((token, _)) = token else { return Ok(()) };
        if matches!(token, Token::TemplateData(_)) {
            continue;
        }
        count += 1;
        if count > TOKENS_MAX {
            return Err(format!("it has more than {TOKENS_MAX} words and signs between its braces"));
        }
        let [second, first] = &before;
        match (second, first, &token) {
            (_, _, sign @ (Token::Mul | Token::Pow | Token::Tilde | Token::Plus)) => {
                return Err(format!(
                    "{sign} is not available in templates; put texts side by side, as in `{{{{ a }}}}-{{{{ b }}}}`"
                ));
            }
            (_, Some(Token::BlockStart), Token::Ident(word)) if !STATEMENTS.contains(word) => {
                return Err(format!(
                    "`{{% {word} %}}` is not available in templates, only `if`, `elif`, `else` and `endif`"
                ));
            }
            (_, Some(Token::Pipe), Token::Ident(name)) if !FILTERS.contains(name) => {
                return Err(unknown_filter(name));
            }
            (before, Some(Token::Ident(name)), Token::ParenOpen)
                if !WORDS.contains(name) && !matches!(before, Some(Token::Pipe | Token::Ident("is" | "not"))) =>
            {
                return Err(format!("`{name}(` is not available in templates: nothing can be called"));
            }
            _ => {}
        }
        let [_, first] = before;
        before = [first, Some(token)];
    }
    Ok(())
}

fn unknown_filter(name: &str) -> String {
    let known = FILTERS.iter().copied();
    match crate::yaml::nearest(name, known.clone()) {
        Some(meant) => format!("there is no filter `{name}`; did you mean `{meant}`?"),
        None => format!("there is no filter `{name}`; there are `{}`", known.collect::<Vec<_>>().join("`, `")),
    }
}

#[cfg(test)]
mod tests {
    use super::super::Template;

    #[test]
    fn what_grows_repeats_or_calls_is_refused() {
        for source in [
            "{{ 'a' * 9 }}",
            "{{ '}}' * 9 }}",
            "{{ 9 ** 9 }}",
            "{{ a ~ a }}",
            "{{ a + a }}",
            "{{ '%999999999d' | format(5) }}",
            "{{ a | indent(999999999) }}",
            "{{ [1] | tojson(indent=999999999) }}",
            "{{ [a] | slice(999999999) }}",
            "{{ range(9) | join(a) }}",
            "{{ range(9) }}",
            "{{ a.upper() }}",
            "{{ debug() }}",
            "{% for i in a %}{{ i }}{% endfor %}",
            "{% set x = a %}",
            "{%- set x = a %}",
            "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
            "{% with b = a %}{{ b }}{% endwith %}",
            "{% filter upper %}x{% endfilter %}",
            "{% include 'x' %}",
            "{% import 'x' as y %}",
            "{% extends '/etc/passwd' %}",
            "{# x #}{% raw %}{{ '{% endraw %}{{ 'a' * 9 }}",
        ] {
            let error = Template::parse(source).unwrap_err().to_string();
            assert!(error.contains("is not available") || error.contains("there is no filter"), "{source}: {error}");
        }
    }

    #[test]
    fn depth_that_would_break_the_stack_is_refused() {
        for source in [
            format!("{{{{ {}1 }}}}", "-".repeat(60_000)),
            format!("{{{{ {}1 }}}}", "not ".repeat(15_000)),
            format!("{{{{ a{} }}}}", "|upper".repeat(10_000)),
            format!("{{{{ a{} }}}}", "[a".repeat(10_000)),
            format!("{{{{ a{}|lower }}}}", ".a".repeat(10_000)),
            format!("{{{{ {}a }}}}", "a if a else ".repeat(4_000)),
            format!("{{{{ a{} }}}}", " is in a".repeat(4_000)),
            format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(5_000)),
            format!("{}{}", "{% if a %}".repeat(3_000), "{% endif %}".repeat(2_000)),
        ] {
            Template::parse(&source).unwrap_err();
        }
        // Just below the limit the stack of a test's thread, 2 MiB, is enough.
        for source in [
            format!("{{{{ {}1 }}}}", "-".repeat(590)),
            format!("{{{{ {}1 }}}}", "not ".repeat(590)),
            format!("{{{{ a{} }}}}", "|upper".repeat(290)),
            format!("{{{{ {}a }}}}", "a if a else ".repeat(140)),
            format!("{{% if a %}}{}{{% endif %}}", "{% elif a %}".repeat(140)),
        ] {
            let _ = Template::parse(&source).map(|template| {
                template.render_with(&[("a".to_owned(), super::super::Filling::Text("x".to_owned()))].into())
            });
        }
    }

    #[test]
    fn text_outside_of_braces_says_what_it_likes() {
        for source in [
            "a * b ~ c + {{ a }}",
            "range( {# {% for %} #}{{ a | lower }}",
            "{% raw %}{% for %}{% endraw %}",
            "{{ a | default('x * y') }}",
        ] {
            Template::parse(source).unwrap();
        }
    }
}
