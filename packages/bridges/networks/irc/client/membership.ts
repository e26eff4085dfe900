import type { Member } from './events.ts'
import { foldCase } from './casemap.ts'
import type { Isupport } from './isupport.ts'
import type { ModeChange } from './modes.ts'
import type { Limits } from './options.ts'
import type { Source } from './source.ts'

/** A person seen in a channel we are in. */
interface User {
  nick: string
  user: string | undefined
  host: string | undefined
  /** Folded names of shared channels. */
  readonly channels: Set<string>
}

interface Channel {
  readonly name: string
  /** Folded nick → rank symbols, highest first. */
  readonly members: Map<string, string>
}

/** Thrown where a server names more members or channels than anybody could use: the connection is given up. */
export class MembershipOverflow extends Error {}

/** Who is in the channels we are in. */
export class Membership {
  readonly #limits: Limits
  readonly #channels = new Map<string, Channel>()
  readonly #users = new Map<string, User>()
  #memberships = 0
  /** Set by the session as the server tells more about itself. */
  isupport: Isupport

  constructor(limits: Limits, isupport: Isupport) {
    this.#limits = limits
    this.isupport = isupport
  }

  /** Names of the channels we are in. */
  get channels(): string[] {
    return [...this.#channels.values()].map((channel) => channel.name)
  }

  has(channel: string): boolean {
    return this.#channels.has(this.fold(channel))
  }

  fold(name: string): string {
    return foldCase(this.isupport.caseMapping, name)
  }

  /** The members of a channel; empty where we are not in it. */
  members(channel: string): Member[] {
    const found = this.#channels.get(this.fold(channel))
    if (found === undefined) return []
    return [...found.members].map(([folded, ranks]) => {
      const user = this.#users.get(folded)
      return { nick: user?.nick ?? folded, user: user?.user, host: user?.host, ranks }
    })
  }

  /** One member of a channel, by nick in any case; undefined where there is none. */
  find(channel: string, nick: string): Member | undefined {
    const folded = this.fold(nick)
    const ranks = this.#channels.get(this.fold(channel))?.members.get(folded)
    if (ranks === undefined) return undefined
    const user = this.#users.get(folded)
    return { nick: user?.nick ?? folded, user: user?.user, host: user?.host, ranks }
  }

  /** The channels shared with somebody. */
  channelsOf(nick: string): string[] {
    const folded = [...(this.#users.get(this.fold(nick))?.channels ?? [])]
    return folded.map((name) => this.#channels.get(name)?.name ?? name)
  }

  /** We entered a channel: its members are about to be told. */
  enter(channel: string): void {
    if (this.has(channel)) return
    if (this.#channels.size >= this.#limits.channels) throw new MembershipOverflow('too many channels')
    this.#channels.set(this.fold(channel), { name: channel, members: new Map() })
  }

  /** We left a channel. */
  exit(channel: string): void {
    const folded = this.fold(channel)
    for (const nick of this.#channels.get(folded)?.members.keys() ?? []) this.#forget(nick, folded)
    this.#channels.delete(folded)
  }

  /** Somebody is in a channel; `ranks` replaces what was known. */
  add(channel: string, who: Source, ranks = ''): void {
    const folded = this.fold(channel)
    const found = this.#channels.get(folded)
    if (found === undefined) return
    const key = this.fold(who.nick)
    if (!found.members.has(key) && ++this.#memberships > this.#limits.members) {
      throw new MembershipOverflow('too many members')
    }
    found.members.set(key, ranks)
    const user = this.#users.get(key) ?? {
      nick: who.nick,
      user: who.user,
      host: who.host,
      channels: new Set(),
    }
    user.nick = who.nick
    user.user = who.user ?? user.user
    user.host = who.host ?? user.host
    user.channels.add(folded)
    this.#users.set(key, user)
  }

  /** Somebody is no longer in a channel. */
  remove(channel: string, nick: string): void {
    const folded = this.fold(channel)
    if (this.#channels.get(folded)?.members.has(this.fold(nick)) === true)
      this.#forget(this.fold(nick), folded)
  }

  /** Somebody is gone from everywhere; the channels they were in. */
  quit(nick: string): string[] {
    const names = this.channelsOf(nick)
    for (const name of names) this.remove(name, nick)
    return names
  }

  /** Somebody has a new nick; the channels concerned. */
  rename(from: string, to: string): string[] {
    const oldKey = this.fold(from)
    const newKey = this.fold(to)
    const user = this.#users.get(oldKey)
    if (user === undefined) return []
    if (oldKey !== newKey) this.quit(to)
    this.#users.delete(oldKey)
    user.nick = to
    this.#users.set(newKey, user)
    for (const folded of user.channels) {
      const members = this.#channels.get(folded)?.members
      const ranks = members?.get(oldKey) ?? ''
      members?.delete(oldKey)
      members?.set(newKey, ranks)
    }
    return this.channelsOf(to)
  }

  /** Somebody's user or host name changed. */
  changeHost(nick: string, user: string, host: string): void {
    const found = this.#users.get(this.fold(nick))
    if (found === undefined) return
    found.user = user
    found.host = host
  }

  /** Applies changes of rank, keeping the symbols in the server's order. */
  applyModes(channel: string, changes: readonly ModeChange[]): void {
    const members = this.#channels.get(this.fold(channel))?.members
    for (const { kind, argument, mode, set } of changes) {
      const ranks = argument === undefined ? undefined : members?.get(this.fold(argument))
      if (kind !== 'member' || argument === undefined || ranks === undefined) continue
      const held = this.isupport.prefixes.filter((prefix) =>
        prefix.mode === mode ? set : ranks.includes(prefix.symbol),
      )
      members?.set(this.fold(argument), held.map((prefix) => prefix.symbol).join(''))
    }
  }

  #forget(nickKey: string, channelKey: string): void {
    if (this.#channels.get(channelKey)?.members.delete(nickKey) === true) this.#memberships--
    const user = this.#users.get(nickKey)
    user?.channels.delete(channelKey)
    if (user?.channels.size === 0) this.#users.delete(nickKey)
  }
}
