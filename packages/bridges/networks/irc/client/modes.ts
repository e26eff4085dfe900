import type { Isupport } from './isupport.ts'

/** One change of a channel's modes. */
export interface ModeChange {
  readonly set: boolean
  readonly mode: string
  /** The mask, nick, key or limit; `undefined` where the mode has none. */
  readonly argument: string | undefined
  /** `member`: gives or takes a rank (argument: nick); `list`: a mask of a list such as +b; `flag`: the rest. */
  readonly kind: 'member' | 'list' | 'flag'
}

function kindOf(isupport: Isupport, mode: string): ModeChange['kind'] {
  if (isupport.prefixes.some((prefix) => prefix.mode === mode)) return 'member'
  return isupport.modes.list.includes(mode) ? 'list' : 'flag'
}

function takesArgument(isupport: Isupport, mode: string, set: boolean): boolean {
  if (kindOf(isupport, mode) !== 'flag' || isupport.modes.always.includes(mode)) return true
  return set && isupport.modes.set.includes(mode)
}

/** The changes in a channel's MODE line, its parameters after the channel given. https://modern.ircdocs.horse/#mode-message */
export function parseModes(isupport: Isupport, params: readonly string[]): ModeChange[] {
  const changes: ModeChange[] = []
  const [letters = '', ...args] = params
  let set = true
  for (const mode of letters) {
    if (mode === '+' || mode === '-') {
      set = mode === '+'
      continue
    }
    const argument = takesArgument(isupport, mode, set) ? args.shift() : undefined
    changes.push({ set, mode, argument, kind: kindOf(isupport, mode) })
  }
  return changes
}
