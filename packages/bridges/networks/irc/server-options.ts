import type { LinkOptions } from '../../core/network.ts'
import type { FloodLimits, SaslSettings, Timing } from './client/options.ts'
import type { DialTarget } from './client/dial.ts'

/** One IRC network (a server or many behind one name) as the operator set it up. */
export interface IrcServerOptions {
  readonly name: string
  readonly displayName: string
  readonly dial: DialTarget & { readonly password?: string | undefined }
  readonly nick: string
  readonly username: string
  readonly realname: string
  readonly sasl?: SaslSettings | undefined
  readonly userModes?: string | undefined
  /** Patterns of channel names, `*` and `?`; the first list allows, the second takes away. */
  readonly channels: { readonly allow: readonly string[]; readonly deny: readonly string[] }
  readonly defaults: LinkOptions
  readonly consent: 'ask' | 'notify'
  readonly maxLinks: number
  readonly absenceMs: number
  readonly puppets: {
    /** Connections of people's own at the same time: what the network allows from one host, less one. */
    readonly max: number
    readonly suffix: string
    /** A connection through which nobody spoke for so long is closed; 0 = never. */
    readonly idleMs: number
    /** How long a message waits for its author's connection before the bot relays it. */
    readonly patienceMs: number
  }
  readonly flood: FloodLimits
  readonly timing?: Partial<Timing>
  readonly maxLines: number
  readonly colors: 'numbers' | 'extended' | 'hex' | 'none'
  readonly monospace: 'codes' | 'backticks' | 'none'
  /** Whether reactions that cannot be sent as such are told in words. */
  readonly tellsReactions: boolean
  /** Whether a topic set in the room is set in the channel. */
  readonly setsTopics: boolean
}
