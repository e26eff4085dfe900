/**
 * Whether a link target may stand in `href` of a Matrix message: absolute, one of the schemes the specification
 * lists, and free of spaces, quotes-in-disguise and control characters.
 * https://spec.matrix.org/v1.19/client-server-api/#mroommessage-msgtypes
 */
export function isSafeUrl(url: string): boolean {
  // oxlint-disable-next-line no-control-regex -- a URL with control characters is what we refuse
  if (url.length > 4096 || /[\0-\x20\x7f-\x9f\u2028\u2029<>"`]/.test(url) || !url.isWellFormed()) return false
  return /^(?:https?:\/\/|ftp:\/\/|mailto:|magnet:\?)[^/]/i.test(url)
}
