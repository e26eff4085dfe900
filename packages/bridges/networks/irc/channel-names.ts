import { foldCase } from './client/casemap.ts'
import { isChannel } from './client/isupport.ts'
import type { Isupport } from './client/isupport.ts'
import type { IrcServerOptions } from './server-options.ts'

/**
 * The form under which a channel is the same channel. The widest mapping whatever the server's is: it may take two
 * channels for one (and refuse the second), but never one for two.
 */
export function channelKey(name: string): string {
  return foldCase('rfc1459', name)
}

/** Whether a name fits a pattern with `*` and `?`; both folded. Linear enough: patterns are the operator's. */
export function matchesGlob(pattern: string, name: string): boolean {
  let [at, seen, star, mark] = [0, 0, -1, 0]
  while (seen < name.length) {
    if (at < pattern.length && (pattern[at] === '?' || (pattern[at] !== '*' && pattern[at] === name[seen]))) {
      at++
      seen++
    } else if (pattern[at] === '*') {
      star = at++
      mark = seen
    } else if (star !== -1) {
      at = star + 1
      seen = ++mark
    } else return false
  }
  while (pattern[at] === '*') at++
  return at === pattern.length
}

/** A channel's comparable and written name, or why it cannot be linked. */
export function parseChannelName(
  text: string,
  { allow, deny }: IrcServerOptions['channels'],
  isupport: Isupport,
): { channel: string; name: string } | { refusal: string } {
  const name = text.trim()
  // oxlint-disable-next-line no-control-regex -- what no channel name may hold: https://modern.ircdocs.horse/#channels
  if (!isChannel(isupport, name) || /[\s,\x00-\x1f]/.test(name) || name.length < 2)
    return {
      refusal: `“${name.slice(0, 100)}” is no channel name (it begins with ${isupport.channelTypes[0] ?? '#'})`,
    }
  if (Buffer.byteLength(name) > isupport.channelLength) return { refusal: 'the channel name is too long' }
  const channel = channelKey(name)
  const fits = (patterns: readonly string[]): boolean =>
    patterns.some((pattern) => matchesGlob(channelKey(pattern), channel))
  if (!fits(allow) || fits(deny)) return { refusal: `${name} may not be linked here` }
  return { channel, name }
}
