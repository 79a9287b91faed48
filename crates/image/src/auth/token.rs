//! The token dance (distribution's `spec/auth/token.md` and `oauth.md`): a registry answers 401
//! and names a server that makes tokens, which are then shown instead of a password.

use super::{AuthError, Challenge, Credential};
use crate::transport::http::{Content, Method, Request, Response};
use crate::transport::url::{Scheme, Url, percent_encode};
use crate::transport::{Client, Server};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// Longest answer of a token server; tokens themselves have a few kB.
const ANSWER_LIMIT: u64 = 1024 * 1024;

/// What the specification gives a token that does not say how long it is good for.
const DEFAULT_LIFE: u64 = 60;

/// A token is not used in its last seconds, in which it could expire on its way.
const MARGIN: Duration = Duration::from_secs(5);

/// Something that a token allows: `repository:library/alpine:pull`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Scope(String);

impl Scope {
    /// `actions` on a repository: `pull` or `pull,push`.
    pub(crate) fn repository(path: &str, actions: &str) -> Scope {
        Scope(format!("repository:{path}:{actions}"))
    }

    /// The list of all repositories.
    pub(crate) fn catalog() -> Scope {
        Scope("registry:catalog:*".to_owned())
    }
}

/// Says who we are to one registry, and remembers how it wants to hear it.
#[derive(Debug)]
pub(crate) struct Authenticator {
    /// For messages.
    registry: String,
    credential: Option<Credential>,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    /// Whether the password itself is what the registry wants.
    is_basic: bool,
    tokens: HashMap<Vec<Scope>, Token>,
}

#[derive(Clone, Debug)]
struct Token {
    header: String,
    until: Instant,
}

impl Authenticator {
    pub(crate) fn new(registry: &str, credential: Option<Credential>) -> Authenticator {
        Authenticator { registry: registry.to_owned(), credential, state: Mutex::default() }
    }

    /// Whether there is anything to say.
    pub(crate) fn has_credential(&self) -> bool {
        self.credential.is_some()
    }

    /// What `Authorization` should say, as far as that is known without asking.
    pub(crate) fn header(&self, scopes: &[Scope]) -> Option<String> {
        let state = self.state.lock().ok()?;
        if state.is_basic {
            return self.credential.as_ref()?.basic();
        }
        let token = state.tokens.get(scopes)?;
        (Instant::now() < token.until).then(|| token.header.clone())
    }

    /// What `Authorization` must say after the registry answered 401 to a request that said
    /// `before`. Threads that are refused at once ask for one token together.
    pub(crate) fn answer(
        &self,
        (client, server): (&Client, &Server),
        refusal: &Response,
        origin: &Url,
        scopes: &[Scope],
        before: Option<&str>,
    ) -> Result<String, AuthError> {
        let mut state = self.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // Another thread may have got one in the meantime.
        if let Some(token) = state.tokens.get(scopes)
            && before != Some(token.header.as_str())
            && Instant::now() < token.until
        {
            return Ok(token.header.clone());
        }
        let challenges: Vec<Challenge> =
            refusal.head.headers("www-authenticate").flat_map(Challenge::parse).collect();
        let by = |scheme: &str| challenges.iter().find(|challenge| challenge.scheme == scheme);
        if let Some(bearer) = by("bearer") {
            let token = self.fetch(client, server, bearer, origin, scopes)?;
            let header = token.header.clone();
            state.tokens.insert(scopes.to_vec(), token);
            return Ok(header);
        }
        if by("basic").is_none() {
            let schemes: Vec<_> = challenges.iter().map(|it| it.scheme.as_str()).collect();
            let schemes =
                if schemes.is_empty() { "nothing".to_owned() } else { schemes.join(", ") };
            return Err(AuthError::UnknownScheme { registry: self.registry.clone(), schemes });
        }
        let header = self.credential.as_ref().and_then(Credential::basic);
        match header {
            Some(header) if before != Some(header.as_str()) => {
                state.is_basic = true;
                Ok(header)
            }
            _ => Err(self.denied("")),
        }
    }

    /// The error for a refusal that no further token can change.
    pub(crate) fn denied(&self, detail: &str) -> AuthError {
        let reason = match &self.credential {
            None => format!("log in first: tinyo login {}", self.registry),
            Some(_) => "the user name or the password is wrong, or has not the right".to_owned(),
        };
        let detail = if detail.is_empty() { String::new() } else { format!(" ({detail})") };
        let reason = format!("{reason}{detail}");
        AuthError::Denied { registry: self.registry.clone(), reason }
    }

    fn fetch(
        &self,
        client: &Client,
        server: &Server,
        challenge: &Challenge,
        origin: &Url,
        scopes: &[Scope],
    ) -> Result<Token, AuthError> {
        let realm = origin.join(challenge.parameter("realm").unwrap_or_default())?;
        // A password goes in the clear only where the registry itself is spoken to so.
        let is_safe = realm.origin().scheme == Scheme::Https
            || origin.origin().scheme == Scheme::Http
            || realm.origin().is_loopback();
        if self.credential.is_some() && !is_safe {
            return Err(AuthError::InsecureRealm { realm });
        }
        let service = challenge.parameter("service").unwrap_or_default();
        let scopes = union(scopes, challenge.parameter("scope"));
        let mut response = match &self.credential {
            Some(Credential::IdentityToken(refresh)) => {
                let form = refresh_form(service, &scopes, refresh);
                let content = Content::Bytes(form.as_bytes());
                let mut request = Request::new(Method::Post, realm.clone())
                    .header("Content-Type", "application/x-www-form-urlencoded")
                    .content(content);
                client.send(&mut request, server)?
            }
            credential => {
                let url = with_query(&realm, service, &scopes);
                let mut request = Request::new(Method::Get, url);
                if let Some(basic) = credential.as_ref().and_then(Credential::basic) {
                    request = request.header("Authorization", basic);
                }
                client.send(&mut request, server)?
            }
        };
        let realm = realm.without_query();
        match response.status() {
            200 => read_token(&realm, &mut response),
            400 | 401 | 403 => Err(self.denied("")),
            status => Err(AuthError::BadToken { realm, reason: format!("it answered {status}") }),
        }
    }
}

fn read_token(realm: &Url, response: &mut Response) -> Result<Token, AuthError> {
    let bad = |reason: String| AuthError::BadToken { realm: realm.clone(), reason };
    let bytes = response.body.read_all(ANSWER_LIMIT).map_err(|error| bad(error.to_string()))?;
    let answer: Answer = serde_json::from_slice(&bytes)
        .map_err(|error| bad(format!("its answer is not JSON of the right form: {error}")))?;
    let token = [answer.token, answer.access_token].into_iter().find(|token| !token.is_empty());
    let token = token.ok_or_else(|| bad("its answer has no token".to_owned()))?;
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(bad("its token has characters that no header can have".to_owned()));
    }
    let life = Duration::from_secs(answer.expires_in.unwrap_or(DEFAULT_LIFE).max(DEFAULT_LIFE));
    // A life longer than the clock can hold is as good as a day.
    let until = Instant::now().checked_add(life.min(Duration::from_secs(86_400)) - MARGIN);
    Ok(Token { header: format!("Bearer {token}"), until: until.unwrap_or_else(Instant::now) })
}

/// What a token server answers.
#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    token: String,
    #[serde(default)]
    access_token: String,
    /// Seconds.
    expires_in: Option<u64>,
}

/// Our scopes and those of the challenge that we did not think of.
fn union(scopes: &[Scope], challenged: Option<&str>) -> Vec<Scope> {
    let mut all = scopes.to_vec();
    for scope in challenged.unwrap_or_default().split_ascii_whitespace() {
        let (resource, actions) = scope.rsplit_once(':').unwrap_or((scope, ""));
        // `...:pull` is part of `...:pull,push`.
        let is_known = all.iter().any(|Scope(known)| {
            let (known_resource, known_actions) = known.rsplit_once(':').unwrap_or((known, ""));
            let has = |action: &str| known_actions.split(',').any(|known| known == action);
            resource == known_resource && actions.split(',').all(has)
        });
        if !is_known {
            all.push(Scope(scope.to_owned()));
        }
    }
    all
}

fn with_query(realm: &Url, service: &str, scopes: &[Scope]) -> Url {
    let mut url = realm.clone();
    if !service.is_empty() {
        url = url.with_parameter("service", service);
    }
    scopes.iter().fold(url, |url, Scope(scope)| url.with_parameter("scope", scope))
}

fn refresh_form(service: &str, scopes: &[Scope], refresh: &str) -> String {
    let scopes: Vec<&str> = scopes.iter().map(|Scope(scope)| scope.as_str()).collect();
    format!(
        "grant_type=refresh_token&client_id=tinyo&service={}&scope={}&refresh_token={}",
        percent_encode(service),
        percent_encode(&scopes.join(" ")),
        percent_encode(refresh)
    )
}

#[cfg(test)]
mod tests {
    use super::{Scope, refresh_form, union, with_query};
    use crate::transport::url::Url;

    #[test]
    fn scopes_of_the_challenge_are_added_if_they_are_new() {
        let ours = [Scope::repository("a/b", "pull,push")];
        let theirs = "repository:a/b:pull repository:c:pull repository:a/b:delete";
        let all = union(&ours, Some(theirs));
        let texts: Vec<&str> = all.iter().map(|Scope(text)| text.as_str()).collect();
        assert_eq!(
            texts,
            ["repository:a/b:pull,push", "repository:c:pull", "repository:a/b:delete"]
        );
        assert_eq!(union(&ours, None), ours);
    }

    #[test]
    fn nothing_is_said_in_a_query_without_being_encoded() {
        let realm: Url = "https://auth.test/token?x=1".parse().unwrap();
        let scopes = [Scope::repository("a", "pull"), Scope::catalog()];
        assert_eq!(
            with_query(&realm, "s&t", &scopes).target(),
            "/token?x=1&service=s%26t&scope=repository%3Aa%3Apull&scope=registry%3Acatalog%3A%2A"
        );
        let form = refresh_form("s", &scopes[..1], "a&b=c");
        assert!(form.ends_with("&scope=repository%3Aa%3Apull&refresh_token=a%26b%3Dc"), "{form}");
    }
}
