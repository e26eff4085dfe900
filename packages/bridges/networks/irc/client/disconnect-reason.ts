import type { DisconnectReason } from './events.ts'

/** What to do after each kind of end: again with growing pauses, again after a long pause, or not by itself. */
export const RETRY: Readonly<Record<DisconnectReason, 'soon' | 'later' | 'never'>> = {
  quit: 'never',
  'dial-failed': 'soon',
  'tls-failed': 'later',
  network: 'soon',
  silent: 'soon',
  'registration-timeout': 'soon',
  'server-closed': 'soon',
  // An operator who kills does not want to see us back in the same second.
  killed: 'later',
  banned: 'never',
  throttled: 'later',
  flooded: 'later',
  'sasl-failed': 'later',
  'sasl-unavailable': 'later',
  'password-refused': 'never',
  'nick-refused': 'later',
  'misbehaving-server': 'later',
}

/** Order matters: the words of a kill are an operator's own and may hold any of the others. */
const PATTERNS: readonly (readonly [RegExp, DisconnectReason])[] = [
  [/\bkilled\b|\bkill by\b/i, 'killed'],
  [/excess flood|recvq exceeded|flooding/i, 'flooded'],
  [
    /\b(?:[kgzdxae]|auto|user)-?lined?\b|\b(?:ban|banned|dnsbl|blacklisted|not welcome|unauthori[sz]ed)\b/i,
    'banned',
  ],
  [/throttl|too fast|too many|reconnecting|clones|maximum|no more connections/i, 'throttled'],
  [/bad password|password (?:mismatch|incorrect)|access denied/i, 'password-refused'],
]

/** Reads the words of an ERROR line, which are all a server gives. https://modern.ircdocs.horse/#error-message */
export function classifyError(text: string): DisconnectReason {
  return PATTERNS.find(([pattern]) => pattern.test(text))?.[1] ?? 'server-closed'
}

/** Sorts a socket's error: a certificate that does not verify needs a person, a broken line does not. */
export function classifySocketError(error: unknown, isConnected: boolean): DisconnectReason {
  const code = error instanceof Error && 'code' in error ? String(error.code) : ''
  if (/^(?:ERR_TLS|ERR_SSL|CERT_|DEPTH_ZERO|SELF_SIGNED|UNABLE_TO|HOSTNAME_MISMATCH)/.test(code))
    return 'tls-failed'
  return isConnected ? 'network' : 'dial-failed'
}
