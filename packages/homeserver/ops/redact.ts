/** Fields that hold something a log must never show, whatever their value. */
const SECRET_NAME = /(?:^|_|-)(?:token|password|passwd|secret|authorization|cookie|pepper|recovery_key)$/i
const SECRET_CAMEL = /(?:Token|Password|Secret|Authorization|Cookie)$/

/** Says whether a field called `name` is shown as `[redacted]`. */
export function isSecretName(name: string): boolean {
  return SECRET_NAME.test(name) || SECRET_CAMEL.test(name)
}

const BEARER = /\b(Bearer\s+)[^\s"',;]+/gi
const QUERY_SECRET = /([?&](?:access_token|token|loginToken|hs_token|as_token)=)[^&\s"']+/gi
const URL_PASSWORD = /(\b[a-z][a-z0-9+.-]*:\/\/[^\s:/@]*:)[^\s@/]+@/gi

/** Blanks access tokens and passwords that stand inside `text` (headers, URLs, database addresses). */
export function redactText(text: string): string {
  if (!/bearer|token=|:\/\//i.test(text)) return text
  return text
    .replace(BEARER, '$1[redacted]')
    .replace(QUERY_SECRET, '$1[redacted]')
    .replace(URL_PASSWORD, '$1[redacted]@')
}
