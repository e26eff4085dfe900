import { forbidden, invalidParam } from '@causeway/matrix/errors/matrix-error.ts'
import { compileGlob } from '@causeway/matrix/push-rules/glob.ts'
import type { PreviewConfig } from '../preview-options.ts'

/** An index of an address in a database has no room for more. */
const MAX_URL = 2000
/** Where something speaks that is no web server: what browsers do not connect to either. https://fetch.spec.whatwg.org/#port-blocking */
const BAD_PORTS = new Set(
  [
    1719, 1720, 1723, 2049, 3659, 4045, 4190, 5060, 5061, 6000, 6566, 6665, 6666, 6667, 6668, 6669, 6679,
  ].concat([6697, 10_080]),
)

/** The address that a client asks about, without its fragment. Throws `M_INVALID_PARAM`. */
export function parsePageUrl(text: string): URL {
  if (!URL.canParse(text)) throw invalidParam('url must be a whole address such as https://example.org/page')
  const url = new URL(text)
  if (url.protocol !== 'https:' && url.protocol !== 'http:')
    throw invalidParam('url must begin with http:// or https://')
  if (url.username !== '' || url.password !== '')
    throw invalidParam('url must not hold a user name or password: previews are kept for everybody')
  url.hash = ''
  if (url.href.length > MAX_URL) throw invalidParam(`url must have at most ${MAX_URL} characters`)
  return url
}

function matcher(patterns: readonly string[]): (host: string) => boolean {
  const globs = patterns.map(compileGlob).filter((glob) => glob !== undefined)
  return (host) => globs.some((glob) => glob.matches(host))
}

const hasWebPort = ({ port }: URL): boolean =>
  port === '' || (Number(port) >= 1024 && !BAD_PORTS.has(Number(port)))

/**
 * Checks an address, and each that it redirects to, against what the operator wants.
 * @returns a function that throws `M_FORBIDDEN`
 */
export function createUrlCheck(
  config: Pick<PreviewConfig, 'allowed_hosts' | 'denied_hosts'>,
): (url: URL) => void {
  const isDenied = matcher(config.denied_hosts)
  const isListed = config.allowed_hosts.length === 0 ? () => true : matcher(config.allowed_hosts)
  return (url) => {
    // A name with the dot of the root at its end is the same host.
    const host = url.hostname.toLowerCase().replace(/\.$/, '')
    if (isDenied(host) || !isListed(host)) throw forbidden('This server makes no previews of that host')
    if (!hasWebPort(url)) throw forbidden('This server makes no previews of pages at such a port')
  }
}
