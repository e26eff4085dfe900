import type { People } from '../../core/ghost-ids.ts'
import type { Portal } from '../../core/network.ts'
import { channelKey } from './channel-names.ts'
import { foldCase } from './client/casemap.ts'
import type { IrcClient } from './client/client.ts'
import type { Member } from './client/events.ts'
import type { Person } from './from-irc.ts'
import type { PuppetPool } from './puppets.ts'

export interface ChannelPeopleDeps {
  /** The connection that watches. */
  readonly bot: IrcClient
  readonly puppets: PuppetPool
  readonly people: People
  /** The server's name here. */
  readonly server: string
}

/** Whether a connection is in a channel. */
export function hasChannel(client: IrcClient, { name }: Pick<Portal, 'name'>): boolean {
  const key = channelKey(name)
  return client.channels.some((channel) => channelKey(channel) === key)
}

/** Who is who in the channels of a server: the bot, those who speak through us, and everybody else. */
export class ChannelPeople {
  readonly #deps: ChannelPeopleDeps

  constructor(deps: ChannelPeopleDeps) {
    this.#deps = deps
  }

  /** The form under which equal nicks are equal on this server. */
  fold(name: string): string {
    return foldCase(this.#deps.bot.isupport?.caseMapping ?? 'rfc1459', name)
  }

  isBot(nick: string): boolean {
    const { bot } = this.#deps
    return bot.nick !== '' && this.fold(nick) === this.fold(bot.nick)
  }

  /** Whether the bot is in a channel now. */
  isIn(portal: Portal): boolean {
    const { bot } = this.#deps
    return bot.state === 'registered' && hasChannel(bot, portal)
  }

  /** People of the channel who are neither the bot nor speak through us. */
  others({ name }: Portal): Member[] {
    const { bot, puppets } = this.#deps
    return bot.members(name).filter(({ nick }) => !this.isBot(nick) && puppets.ownerOf(nick) === undefined)
  }

  /** Whether somebody is in a channel now who is neither the bot nor speaks through us. */
  isOther({ name }: Portal, nick: string): boolean {
    const { bot, puppets } = this.#deps
    return (
      !this.isBot(nick) && puppets.ownerOf(nick) === undefined && bot.findMember(name, nick) !== undefined
    )
  }

  /** Nobody there to ask: the channel came into being when the bot entered it, which made the bot its operator. */
  isDeserted(portal: Portal): boolean {
    return this.others(portal).length === 0 && this.isOperator(portal.name, this.#deps.bot.nick)
  }

  /** Whether somebody decides for a channel: operator or above. */
  isOperator(channel: string, nick: string): boolean {
    const { bot } = this.#deps
    const prefixes = bot.isupport?.prefixes ?? []
    const upToOperator = prefixes.slice(0, prefixes.findIndex(({ mode }) => mode === 'o') + 1)
    const member = bot.findMember(channel, nick)
    return member !== undefined && upToOperator.some(({ symbol }) => member.ranks.includes(symbol))
  }

  /** The Matrix user that a nick in a channel stands for. */
  personOf(channel: string, nick: string): Person | undefined {
    const { bot, puppets, people, server } = this.#deps
    const owner = puppets.ownerOf(nick)
    if (owner !== undefined) return { userId: owner.userId, label: owner.displayName }
    const member = bot.findMember(channel, nick)
    if (member === undefined || this.isBot(nick)) return undefined
    const userId = people.userIdOf(server, { id: this.fold(nick), name: member.nick })
    return userId === undefined ? undefined : { userId, label: member.nick }
  }

  /** The nick of a Matrix user, real or ghost; undefined where they have none. */
  nickOf({ name }: Portal, userId: string): string | undefined {
    const { bot, puppets, people, server } = this.#deps
    const own = puppets.nickOf(userId)
    if (own !== undefined) return own
    const id = people.remoteIdOf(server, userId)
    return id === undefined ? undefined : (bot.findMember(name, id)?.nick ?? id)
  }

  /** Those who speak through us in a channel, as ban masks see them. */
  ownMembers(channel: string): { userId: string; mask: string }[] {
    const { bot, puppets } = this.#deps
    return bot.members(channel).flatMap(({ nick, user, host }) => {
      const owner = puppets.ownerOf(nick)
      return owner === undefined
        ? []
        : [{ userId: owner.userId, mask: `${nick}!${user ?? '*'}@${host ?? '*'}` }]
    })
  }
}
