import type { Isupport } from './isupport.ts'

/** What others see of us before each of our lines. */
export interface OwnPrefix {
  readonly nick: string
  /** `undefined` = not known yet: the longest the server allows is assumed. */
  readonly user: string | undefined
  readonly host: string | undefined
}

export type TextKind = 'message' | 'notice' | 'action'

export const ACTION_START = '\u0001ACTION '
export const ACTION_END = '\u0001'

const bytes = (text: string): number => Buffer.byteLength(text)

/**
 * Bytes of text that fit into one line as *others* receive it: `:nick!user@host PRIVMSG target :text`. Servers cut
 * what is longer, in the middle of a character if it so happens.
 */
export function textBudget(isupport: Isupport, own: OwnPrefix, kind: TextKind, target: string): number {
  const user = own.user === undefined ? isupport.userLength + 1 : bytes(own.user)
  const host = own.host === undefined ? isupport.hostLength : bytes(own.host)
  const prefix = 1 + bytes(own.nick) + 1 + user + 1 + host + 1
  const command = kind === 'notice' ? 'NOTICE' : 'PRIVMSG'
  const wrapping = kind === 'action' ? ACTION_START.length + ACTION_END.length : 0
  return isupport.lineLength - 2 - prefix - command.length - 1 - bytes(target) - 2 - wrapping
}
