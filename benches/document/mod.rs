//! The secrets, and config files to measure with: in each format one that refers to a secret every 200 bytes, among
//! as much else as such files have. It measures nothing.

/// What every contestant refers to, and what it gets.
pub const SECRETS: [(&str, &str); 5] = [
    ("DB_PASSWORD_PROD", "ahgh8Iquoo9ohth2Aif1"),
    ("STRIPE_API_KEY", "sk_live_oov1Eikaic4aeJ2e"),
    ("SLACK_WEBHOOK_URL", "https://hooks.example.com/services/T0/B0/iex0Ohk8"),
    ("SMTP_PASSWORD", "ye8Aeb9k"),
    ("SESSION_SIGNING_KEY", "5dd1f6e1c0a04d7f9d6f2f0b7f4d3a59"),
];

/// One reference, with what stands around it.
const PERIOD_BYTES: usize = 200;

/// A document of about so many bytes in the format that the ending of a file's name says.
pub fn document(format: &str, bytes: usize) -> String {
    let (before, after) = match format {
        "json" => ("{\"list\": [\n", "{}]}\n"),
        "yaml" => ("list:\n", ""),
        "xml" => ("<list>\n", "</list>\n"),
        "ini" => ("[list]\n", ""),
        _ => ("", ""),
    };
    let mut text = before.to_owned();
    let mut number = 0;
    while text.len() < bytes {
        let (secret, _) = SECRETS[number % SECRETS.len()];
        text.push_str(&item(format, number, &format!("${{{secret}}}")));
        number += 1;
    }
    text + after
}

fn item(format: &str, number: usize, reference: &str) -> String {
    let frame = |fill: &str| match format {
        "json" => format!(
            "  {{\"name\": \"server {number}\", \"port\": {number}, \"url\": \
             \"postgres://app:{reference}@db/app\", \"tags\": [\"{fill}\", true, null]}},\n"
        ),
        "yaml" => format!(
            "  - name: server {number}  # one of many\n    port: {number}\n    url: \
             \"postgres://app:{reference}@db/app\"\n    tags: [{fill}, true, ~]\n"
        ),
        "toml" => format!(
            "[[list]]\nname = 'server {number}'  # one of many\nport = {number}\nurl = \
             \"postgres://app:{reference}@db/app\"\ntags = [\"{fill}\"]\n"
        ),
        "env" => format!(
            "# one of many\nNAME_{number}=server\nURL_{number}=\"postgres://app:{reference}@db/app\
             \"\nTAGS_{number}='{fill}'\n"
        ),
        "ini" | "properties" => format!(
            "# one of many\nname.{number} = server {number}\nurl.{number} = \
             postgres://app:{reference}@db/app\ntags.{number} = {fill}\n"
        ),
        "xml" => format!(
            "  <server number=\"{number}\"><!-- one of many --><url value=\"postgres://app:{reference}\
             @db/app\"/><tags>{fill}</tags></server>\n"
        ),
        _ => format!("server {number} postgres://app:{reference}@db/app {fill}\n"),
    };
    let bare = frame("").len();
    frame(&"x".repeat(PERIOD_BYTES.saturating_sub(bare)))
}
