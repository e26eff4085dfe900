import type {
  Connection,
  LinkOptions,
  Network,
  OutgoingMessage,
  PartOutcome,
  Portal,
  RemotePerson,
  RemoteSink,
  Speaker,
} from '../core/network.ts'
import { toPlain } from '../formatting/to-plain.ts'
import { docFromText } from '../formatting/tree.ts'

/** A line that a channel of the fake network saw. */
export interface FakeLine {
  readonly id: string
  readonly author: string
  readonly text: string
}

export interface FakeNetworkOptions {
  /** Whether messages have ids, as on richer networks. Default true. */
  readonly givesIds?: boolean
  /** What becomes of the next thing sent; default: it is sent. */
  readonly fate?: (text: string) => PartOutcome | undefined
}

const SERVER = {
  name: 'local',
  displayName: 'Local',
  defaults: { mode: 'relay', membership: 'lazy' },
  consent: 'notify',
  maxLinks: 100,
  absenceMs: 1000,
} as const

/** A chat network in memory that outlives the hubs attached to it: what it saw was really said. */
export class FakeNetwork {
  readonly lines = new Map<string, FakeLine[]>()
  readonly #options: FakeNetworkOptions
  readonly #listeners = new Set<{ sink: RemoteSink; portals: Map<string, Portal> }>()
  readonly #members = new Map<string, Set<string>>()
  #count = 0

  constructor(options: FakeNetworkOptions = {}) {
    this.#options = options
  }

  texts(channel: string): string[] {
    return (this.lines.get(channel) ?? []).map((line) => line.text)
  }

  /** Somebody of the network says something. */
  say(channel: string, nick: string, text: string): string {
    const line = this.#append(channel, nick, text)
    const author = { id: nick.toLowerCase(), name: nick }
    const words = /^!(bridge|unbridge) ?(.*)$/.exec(text)
    for (const { sink, portals } of this.#listeners) {
      const portal = portals.get(channel)
      if (portal === undefined) continue
      if (words !== null) {
        const rest = (words[2] ?? '').split(' ').filter((word) => word !== '')
        const isModerator = nick.startsWith('op')
        sink.command(portal, {
          author,
          isModerator,
          words: words[1] === 'bridge' ? rest : ['unbridge', ...rest],
        })
        continue
      }
      const id = this.#options.givesIds === false ? {} : { id: line.id }
      sink.receive(portal, { type: 'message', ...id, author, kind: 'text', doc: docFromText(text) })
    }
    return line.id
  }

  enter(channel: string, nick: string): void {
    this.#membersOf(channel).add(nick)
    this.#tell(channel, (sink, portal) => sink.receive(portal, { type: 'join', person: personOf(nick) }))
  }

  exit(channel: string, nick: string): void {
    this.#membersOf(channel).delete(nick)
    this.#tell(channel, (sink, portal) =>
      sink.receive(portal, { type: 'leave', person: personOf(nick), reason: '' }),
    )
  }

  /** A hub's way to it. */
  attach(): Network {
    const portals = new Map<string, Portal>()
    let listener: { sink: RemoteSink; portals: Map<string, Portal> } | undefined
    return {
      name: 'fake',
      displayName: 'Fake',
      servers: new Map([[SERVER.name, SERVER]]),
      start: (sink) => {
        listener = { sink, portals }
        this.#listeners.add(listener)
      },
      stop: async () => {
        if (listener !== undefined) this.#listeners.delete(listener)
      },
      parseChannel: (_server, text) =>
        text.startsWith('#') && !text.includes(' ')
          ? { channel: text.toLowerCase(), name: text }
          : { refusal: 'a channel begins with #' },
      open: async (portal) => {
        portals.set(portal.name, portal)
        const members = [...this.#membersOf(portal.name)]
        for (const nick of members) listener?.sink.receive(portal, { type: 'join', person: personOf(nick) })
        return { kind: 'open', isDeserted: members.length === 0 }
      },
      close: async (portal) => void portals.delete(portal.name),
      connect: async (portal, speaker, options) => ({
        kind: 'ready',
        connection: this.#connection(portal, speaker, options),
      }),
      part: async () => undefined,
      rename: async () => undefined,
      describe: () => 'connected',
    }
  }

  #connection(portal: Portal, speaker: Speaker | undefined, { mode }: LinkOptions): Connection {
    const name = speaker?.displayName ?? 'bot'
    const author = speaker === undefined || mode === 'relay' ? 'bot' : name
    const prefix = speaker === undefined || mode === 'puppets' ? '' : `<${name}> `
    return {
      render: async ({ doc, kind }: OutgoingMessage) => {
        const text = toPlain(doc)
        const star = kind === 'action' ? '* ' : ''
        return text === ''
          ? []
          : text.split('\n').map((line) => JSON.stringify({ author, text: prefix + star + line }))
      },
      send: async (part) => {
        const line = JSON.parse(part) as { author: string; text: string }
        const fate = this.#options.fate?.(line.text)
        if (fate !== undefined && fate.kind !== 'sent') return fate
        const { id } = this.#append(portal.name, line.author, line.text)
        return { kind: 'sent', remoteId: this.#options.givesIds === false ? '' : id }
      },
    }
  }

  #append(channel: string, author: string, text: string): FakeLine {
    const line = { id: `m${++this.#count}`, author, text }
    const lines = this.lines.get(channel) ?? []
    lines.push(line)
    this.lines.set(channel, lines)
    return line
  }

  #membersOf(channel: string): Set<string> {
    const members = this.#members.get(channel) ?? new Set()
    this.#members.set(channel, members)
    return members
  }

  #tell(channel: string, tell: (sink: RemoteSink, portal: Portal) => void): void {
    for (const { sink, portals } of this.#listeners) {
      const portal = portals.get(channel)
      if (portal !== undefined) tell(sink, portal)
    }
  }
}

function personOf(nick: string): RemotePerson {
  return { id: nick.toLowerCase(), name: nick }
}
