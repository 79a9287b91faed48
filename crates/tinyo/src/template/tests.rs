use super::Template;
use serde_json::{Value, json};

fn data() -> Value {
    json!({
        "Id": "sha256:0123456789",
        "Size": 1234,
        "Config": {
            "Env": ["A=1", "B=2"],
            "Labels": {"a.b": "c", "d": "e"},
            "Cmd": [],
            "Healthcheck": null,
        },
        "Ports": [{"Host": 1}, {"Host": 2}],
        "Label": {"a.b": "c"},
    })
}

fn render(template: &str) -> Result<String, String> {
    let template: Template = template.parse().map_err(|it: super::TemplateError| it.to_string())?;
    template.render(&data()).map_err(|it| it.to_string())
}

#[test]
fn what_users_write() {
    for (template, expected) in [
        ("{{.Id}}", "sha256:0123456789"),
        ("a{{ .Size }}b", "a1234b"),
        ("{{.Config.Env}}", "[A=1 B=2]"),
        ("{{json .Config.Env}}", r#"["A=1","B=2"]"#),
        ("{{.Config.Env | json}}", r#"["A=1","B=2"]"#),
        ("{{.Config.Labels}}", "map[a.b:c d:e]"),
        (r#"{{index .Config.Labels "a.b"}}"#, "c"),
        (r#"{{index .Config.Labels "none"}}"#, ""),
        ("{{.Config.Labels.d}} {{.Config.Labels.none}}", "e <no value>"),
        ("{{index .Config.Env 1}}", "B=2"),
        ("{{(index .Ports 1).Host}}", "2"),
        ("{{range .Config.Env}}{{println .}}{{end}}", "A=1\nB=2\n"),
        (
            "{{range $i, $e := .Config.Env}}{{$i}}:{{$e}} {{$.Size}};{{end}}",
            "0:A=1 1234;1:B=2 1234;",
        ),
        ("{{range $k, $v := .Config.Labels}}{{$k}}={{$v}},{{end}}", "a.b=c,d=e,"),
        ("{{range .Config.Cmd}}x{{else}}none{{end}}", "none"),
        ("{{if .Config.Healthcheck}}yes{{else if gt .Size 1000}}big{{else}}no{{end}}", "big"),
        ("{{with .Config}}{{len .Env}}{{end}}", "2"),
        (r#"{{join .Config.Env ", "}}"#, "A=1, B=2"),
        (r#"{{.Config.Env | len | printf "%5d|"}}"#, "    2|"),
        (r#"{{printf "%-20s|%q %%" .Id "x"}}"#, "sha256:0123456789   |\"x\" %"),
        (r#"{{printf "%.5s|%8.3s|%-6.2s|" .Id .Id .Id}}"#, "sha25|     sha|sh    |"),
        (
            r#"{{printf "%05d|%+d|%x|%X|%.2f|%x%%" .Size .Size .Size 255 1.5 "az"}}"#,
            "01234|+1234|4d2|FF|1.50|617a%",
        ),
        (r#"{{printf "%v %v %t" .Config.Env .Size true}}"#, "[A=1 B=2] 1234 true"),
        (r#"{{pad .Id 1 2}}|{{pad "" 1 2}}"#, " sha256:0123456789  |"),
        (r#"{{html "<a&b>"}} {{urlquery "a b/ü"}}"#, "&lt;a&amp;b&gt; a+b%2F%C3%BC"),
        ("{{$x := 1}}{{if .Id}}{{$x = 2}}{{end}}{{$x}}", "2"),
        ("{{$x:=1}}{{range .Config.Env}}{{$x=.}}{{end}}{{$x}}", "B=2"),
        (r#"{{range .Config.Env}}{{if eq . "A=1"}}{{continue}}{{end}}{{.}}{{end}}"#, "B=2"),
        (r#"{{range .Config.Env}}{{.}}{{break}}{{end}};{{.Size}}"#, "A=1;1234"),
        (r#"{{range .Ports}}{{range $.Config.Env}}{{break}}{{end}}{{.Host}}{{end}}"#, "12"),
        (r#"{{.Label "a.b"}}|{{.Label "none"}}"#, "c|"),
        ("{{slice .Id 7 11}}", "0123"),
        (r#"{{$x := split .Id ":"}}{{index $x 1}}"#, "0123456789"),
        (r#"{{if and (eq .Size 1234) (not .Config.Cmd)}}both{{end}}"#, "both"),
        (r"{{upper .Id}}\t{{.Size}}\n", "SHA256:0123456789\t1234\n"),
        ("x  {{- .Size -}}  y", "x1234y"),
        ("{{/* nothing */}}x", "x"),
        ("{{`}}`}}{{\"}}\"}}", "}}}}"),
    ] {
        assert_eq!(render(template).as_deref(), Ok(expected), "{template}");
    }
}

#[test]
fn what_cannot_be_is_said() {
    for (template, expected) in [
        ("{{.Nothing}}", r#"there is no field "Nothing"; there are Config Id Label Ports Size"#),
        ("{{.Config.Nothing}}", r#"there is no field "Nothing""#),
        ("{{.Id.X}}", r#"has no field "X""#),
        ("{{.Id", "is not ended by }}"),
        ("{{}}", "a value is missing"),
        ("{{nothing .Id}}", r#"there is no function "nothing"; there are and eq"#),
        ("{{if .Id}}", "{{if}} has no {{end}}"),
        ("{{end}}", "{{end}} ends nothing"),
        ("{{template \"x\"}}", "{{template}} is not supported"),
        ("{{index .Config.Env 2}}", "index 2 is not within 0 to 2 items"),
        ("{{.Id .Size}}", "only a function has arguments"),
        ("{{(.Id}}", "a bracket is not closed"),
        ("{{.Id)}}", "a bracket too many"),
        ("{{$x}}", "$x is not set"),
        ("{{$x = 1}}", "$x is not set"),
        ("{{break}}", "are for {{range}}"),
        ("{{printf \"%s\"}}", "nothing is left for %s"),
        ("{{printf \"%d\" 1.5}}", "%d is not for 1.5"),
        ("{{json}}", "json does not take nothing"),
        ("{{printf \"%z\" 1}}", "%z is not for 1"),
        ("{{lt .Id .Size}}", "cannot be compared"),
        ("{{range .Size}}{{end}}", "range cannot go over 1234"),
    ] {
        let error = render(template).expect_err(template);
        assert!(error.starts_with("template: ") && error.contains(expected), "{template}: {error}");
    }
}
