import type { Doc } from '../formatting/tree.ts'

/** A network's short name: `irc`. Part of ghosts' user ids and of commands. */
export type NetworkName = string

/** A channel of a network as the hub and the network speak of it. */
export interface Portal {
  readonly nid: number
  readonly network: NetworkName
  /** One of `Network.servers`. */
  readonly server: string
  /** The comparable form of its name: what makes it the same channel. */
  readonly channel: string
  /** As people write it. */
  readonly name: string
}

/** What is decided per link. */
export interface LinkOptions {
  /** `relay`: one bot speaks for everybody. `puppets`: everybody who speaks has a connection of their own. */
  readonly mode: 'relay' | 'puppets'
  /** When people of the network appear in the room: once they speak, or all of them at once. */
  readonly membership: 'lazy' | 'eager'
  /** Since when messages cross: what was said before stays where it was said. */
  readonly liveTs?: number
  /** The room that replaced this one, which the bot may not enter yet: the link waits for it. */
  readonly replacement?: string
  /** Set while leaving. */
  readonly leaving?: { readonly by: string; readonly removeGhosts: boolean }
}

/** A person of the network. */
export interface RemotePerson {
  /** Comparable and lasting, as far as the network has such a thing. */
  readonly id: string
  readonly name: string
}

/** What happens on a network. Everything is plain data: it is stored before it is acted upon. */
export type RemoteEvent =
  | {
      readonly type: 'message'
      /** The network's id of it; absent where it has none. */
      readonly id?: string
      /** When it was said, in milliseconds since 1970, where the network tells. */
      readonly time?: number
      readonly author: RemotePerson
      readonly kind: 'text' | 'action' | 'notice'
      readonly doc: Doc
      /** Id of the message this answers. */
      readonly replyTo?: string
      /** It was said while nobody listened, and told later; it may be known already. */
      readonly isHistory?: true
      /** Where to go on listening after this, in the network's own terms, for networks that keep what was said. */
      readonly cursor?: string
    }
  | { readonly type: 'edit'; readonly target: string; readonly author: RemotePerson; readonly doc: Doc }
  | {
      readonly type: 'reaction'
      readonly id?: string
      readonly author: RemotePerson
      readonly target: string
      readonly key: string
      readonly isRemoval: boolean
    }
  | { readonly type: 'redaction'; readonly target: string; readonly reason: string }
  | { readonly type: 'join'; readonly person: RemotePerson }
  | { readonly type: 'leave'; readonly person: RemotePerson; readonly reason: string }
  | { readonly type: 'rename'; readonly from: RemotePerson; readonly to: RemotePerson }
  | {
      readonly type: 'kick' | 'ban' | 'unban'
      /** Whom: a person of the network, or one of ours by user id. */
      readonly person: RemotePerson | { readonly userId: string }
      readonly by: string
      readonly reason: string
    }
  | { readonly type: 'topic'; readonly topic: string; readonly by?: RemotePerson }
  /** Everybody who is there now: whoever else has a ghost in the room is gone. */
  | { readonly type: 'members'; readonly members: readonly RemotePerson[] }

/** Where an earlier process of ours stopped in a channel. */
export interface Resumption {
  /** The `cursor` of what was heard last; undefined where nothing was since the link became live. */
  readonly cursor: string | undefined
  /** Rendered parts that may have left or not. */
  readonly underWay: readonly string[]
}

/** Words said to the bridge itself, in a channel. */
export interface RemoteCommand {
  readonly author: RemotePerson
  /** May decide for the channel. */
  readonly isModerator: boolean
  readonly words: readonly string[]
}

/** What a network calls when something happens. Never blocks, never throws; calls for one portal keep their order. */
export interface RemoteSink {
  receive(portal: Portal, event: RemoteEvent): void
  command(portal: Portal, command: RemoteCommand): void
  /** The channel cannot be used any more: thrown out, forbidden. A broken connection is not that. */
  lost(portal: Portal, reason: string): void
}

/** For whom something is sent; undefined = the bridge itself. */
export interface Speaker {
  readonly userId: string
  readonly displayName: string
  /** A ghost of another network: it never gets a connection of its own. */
  readonly isGhost: boolean
}

/** A message that something refers to. */
export interface RemoteReference {
  /** Empty where the network gave no id. */
  readonly id: string
  /** Who said it, as a mention: user id and name. */
  readonly userId: string
  readonly name: string
  /** Plain text; empty where not known. */
  readonly text: string
}

export interface OutgoingMessage {
  readonly kind: 'text' | 'action' | 'notice'
  readonly doc: Doc
  readonly replyTo?: RemoteReference
}

/** What became of one part. */
export type PartOutcome =
  /** It is out. `remoteId` where the network gives ids. */
  | { readonly kind: 'sent'; readonly remoteId: string }
  /** Bytes left and nothing came back: never sent again. */
  | { readonly kind: 'uncertain'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }
  /** Nothing left: to be tried again after a while. */
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs: number }

/** Puts a long text where people without a Matrix account can read it; undefined where that is impossible. */
export type Paste = (text: string) => Promise<string | undefined>

/**
 * Somebody's way to speak in a channel. Rendering gives opaque parts, which the hub stores before it sends the first.
 * An absent capability is one the network does not have: the hub degrades by its declared fallback.
 */
export interface Connection {
  render(message: OutgoingMessage, paste: Paste): Promise<readonly string[]>
  send(part: string): Promise<PartOutcome>
  /** The id under which a part that may have left was found to have been said; undefined: nothing is known of it. */
  readonly findSaid?: (part: string) => string | undefined
  /** Native edits. Absent: a short visible correction. */
  readonly edits?: { render(target: RemoteReference, message: OutgoingMessage): readonly string[] }
  /** Absent: nothing is told. */
  readonly reactions?: {
    render(target: RemoteReference, key: string, isRemoval: boolean): readonly string[]
  }
  /** Absent: the message stays on the network. */
  readonly redactions?: { render(targetIds: readonly string[], reason: string): readonly string[] }
  /** Members' fates. Absent: none but their own. */
  readonly moderation?: {
    render(act: 'kick' | 'ban' | 'unban', person: RemotePerson, reason: string): readonly string[]
  }
  readonly topics?: { render(topic: string): readonly string[] }
}

export type ConnectionResult =
  /** `note`: something that people of the room should know about it, said once for a while. */
  | { readonly kind: 'ready'; readonly connection: Connection; readonly note?: string }
  | { readonly kind: 'retry'; readonly reason: string; readonly afterMs: number }
  /** This person may not speak there. */
  | { readonly kind: 'refused'; readonly reason: string }

/** How a Matrix user wants to appear on a network. */
export interface Account {
  /** Empty: made from the display name. */
  readonly nick: string
  readonly credentials?: { readonly account: string; readonly password: string }
}

/** One server (workspace, guild …) that the operator set up. */
export interface RemoteServer {
  readonly name: string
  readonly displayName: string
  readonly defaults: LinkOptions
  /** `ask`: somebody who decides for the channel must agree. `notify`: the channel is told. */
  readonly consent: 'ask' | 'notify'
  readonly maxLinks: number
  /** How long people of the network who vanished in numbers may take to come back, in milliseconds. */
  readonly absenceMs: number
}

export type OpenResult =
  | { readonly kind: 'open'; readonly isDeserted: boolean }
  /** The server is away; it opens by itself later. */
  | { readonly kind: 'waiting'; readonly reason: string }
  | { readonly kind: 'refused'; readonly reason: string }

/**
 * How a network calls its places and people, beside `network`, its server.
 * https://spec.matrix.org/v1.19/application-service-api/#third-party-networks
 */
export interface Lookups {
  /** The field for a channel, `channel`; and for a person, `nickname`. */
  readonly channelField: string
  readonly personField: string
  /** What may stand in each of them, and an example. */
  readonly fieldTypes: Readonly<Record<string, { readonly regexp: string; readonly placeholder: string }>>
  /** The comparable and lasting id of a person by what people call them. */
  personId(server: string, name: string): string
}

/** A chat network. Made by its factory from its configuration; the hub starts and stops it. */
export interface Network {
  readonly name: NetworkName
  readonly displayName: string
  readonly servers: ReadonlyMap<string, RemoteServer>
  start(sink: RemoteSink): void
  /** Goes away after what is under way. */
  stop(): Promise<void>
  /** The comparable and the written name of a channel, or why it is none. */
  parseChannel(
    server: string,
    text: string,
  ): { readonly channel: string; readonly name: string } | { readonly refusal: string }
  /**
   * Enters a channel and listens there from now on, also after reconnections; everybody who is there is told as
   * `join`. Calling it again tells them again. With `resumption`, what was said meanwhile is told first, where the
   * network keeps it.
   */
  open(portal: Portal, options: LinkOptions, resumption?: Resumption): Promise<OpenResult>
  /** Leaves a channel with everybody. */
  close(portal: Portal, reason: string): Promise<void>
  connect(portal: Portal, speaker: Speaker | undefined, options: LinkOptions): Promise<ConnectionResult>
  /** A Matrix user left the room: their own connection leaves the channel. */
  part(portal: Portal, userId: string, reason: string): Promise<void>
  /** A Matrix user has another display name. */
  rename(server: string, userId: string, name: string): Promise<void>
  /** Absent: people cannot choose a name of their own. Returns why not, where the wish cannot be. */
  setNick?(server: string, userId: string, nick: string): Promise<string | undefined>
  /** By which words people look up channels and people. Absent: they cannot. */
  readonly lookups?: Lookups
  /** One line on how a channel is doing, for people. */
  describe(portal: Portal): string
}
