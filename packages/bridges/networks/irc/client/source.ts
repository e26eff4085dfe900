/** Who a message comes from. https://modern.ircdocs.horse/#source */
export interface Source {
  readonly nick: string
  readonly user: string | undefined
  readonly host: string | undefined
  /** True where it is a server (or services) and not a person: no `!`, and a dot, which no nick may hold. */
  readonly isServer: boolean
}

/** Parses `nick!user@host`, `nick@host`, `nick` or a server's name; `undefined` becomes the nameless server. */
export function parseSource(source: string | undefined): Source {
  if (source === undefined || source === '')
    return { nick: '', user: undefined, host: undefined, isServer: true }
  const at = source.indexOf('@')
  const host = at === -1 ? undefined : source.slice(at + 1)
  const name = at === -1 ? source : source.slice(0, at)
  const bang = name.indexOf('!')
  const nick = bang === -1 ? name : name.slice(0, bang)
  const user = bang === -1 ? undefined : name.slice(bang + 1)
  return { nick, user, host, isServer: user === undefined && nick.includes('.') }
}
