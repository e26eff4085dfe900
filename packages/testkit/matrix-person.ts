import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import { registerUser } from './matrix-client.ts'
import type { TestUser } from './matrix-client.ts'
import { textOf } from './text-of.ts'

/** An event as a client gets it. */
export interface SeenEvent {
  readonly event_id: string
  readonly type: string
  readonly sender: string
  readonly content: JsonObject
  readonly state_key?: string
  readonly redacts?: string
  readonly unsigned?: JsonObject
}

/** Somebody on Matrix who keeps syncing: for journeys, on any homeserver. */
export interface MatrixPerson extends AsyncDisposable {
  readonly userId: string
  readonly user: TestUser
  /** The room's timeline since they entered it, in the order of arrival. */
  timeline(roomId: string): readonly SeenEvent[]
  /** Texts of others than themselves, as `<localpart or display name>: body`. */
  bodies(roomId: string): string[]
  /** The first event of a room, seen or to come, that fits; rejects with what came instead. */
  waitFor(roomId: string, what: string, fits: (event: SeenEvent) => boolean, ms?: number): Promise<SeenEvent>
  waitForText(roomId: string, body: string, ms?: number): Promise<SeenEvent>
  /** Something in an answer to `/sync`, from `since` answers on, had or to come. */
  waitInSync<T>(
    what: string,
    find: (answer: SyncAnswer) => T | undefined | false,
    options?: { since?: number; ms?: number },
  ): Promise<T>
  /** How many answers to `/sync` there were. */
  syncs(): number
  createRoom(options?: JsonObject): Promise<string>
  send(roomId: string, content: JsonObject, type?: string): Promise<string>
  say(roomId: string, body: string): Promise<string>
  redact(roomId: string, eventId: string): Promise<string>
  joined(roomId: string): Promise<string[]>
  state(roomId: string, type: string, key?: string): Promise<JsonObject | undefined>
  upload(bytes: Uint8Array<ArrayBuffer>, type: string): Promise<string>
}

/** What `/sync` answers, as far as journeys look at it. */
export interface SyncAnswer {
  readonly next_batch: string
  readonly presence?: { readonly events?: readonly SeenEvent[] }
  readonly to_device?: { readonly events?: readonly SeenEvent[] }
  readonly device_lists?: { readonly changed?: readonly string[]; readonly left?: readonly string[] }
  readonly rooms?: {
    readonly join?: Record<
      string,
      {
        readonly timeline?: { readonly events: SeenEvent[]; readonly limited?: boolean }
        readonly ephemeral?: { readonly events: readonly SeenEvent[] }
      }
    >
    readonly invite?: Record<string, { readonly invite_state?: { readonly events: readonly SeenEvent[] } }>
    readonly knock?: Record<string, { readonly knock_state?: { readonly events: readonly SeenEvent[] } }>
    readonly leave?: Record<string, { readonly timeline?: { readonly events: readonly SeenEvent[] } }>
  }
}

export interface PersonOptions {
  /** Whether they want to know who is online. */
  readonly presence?: boolean
}

/** A machine ten times slower than an idle one; what comes, comes much sooner. */
const PATIENCE_MS = 90_000

let transactions = 0

/** Registers somebody and lets them sync until they are disposed of. */
export async function matrixPerson(
  base: string,
  localpart: string,
  options: PersonOptions = {},
): Promise<MatrixPerson> {
  const user = await registerUser(base, localpart)
  const rooms = new Map<string, SeenEvent[]>()
  const answers: SyncAnswer[] = []
  const waiting = new Set<() => void>()
  const abort = new AbortController()
  const filter = encodeURIComponent(
    JSON.stringify({
      room: { timeline: { limit: 1000 } },
      ...(options.presence === true ? {} : { presence: { types: [] } }),
    }),
  )

  const take = (answer: SyncAnswer): void => {
    answers.push(answer)
    for (const [roomId, room] of Object.entries(answer.rooms?.join ?? {})) {
      const timeline = rooms.get(roomId) ?? []
      timeline.push(...(room.timeline?.events ?? []))
      rooms.set(roomId, timeline)
    }
    for (const check of waiting) check()
  }
  const follow = async (): Promise<void> => {
    let since = ''
    while (!abort.signal.aborted) {
      const path = `/_matrix/client/v3/sync?timeout=20000&filter=${filter}${since === '' ? '' : `&since=${since}`}`
      try {
        const headers = { authorization: `Bearer ${user.token}` }
        const response = await fetch(base + path, { headers, signal: abort.signal })
        if (!response.ok) throw new Error(String(response.status))
        const answer = (await response.json()) as SyncAnswer
        since = answer.next_batch
        take(answer)
      } catch {
        // The homeserver restarts, or we are done.
        if (!abort.signal.aborted) await new Promise((resolve) => setTimeout(resolve, 200))
      }
    }
  }
  const following = follow()
  const at = (roomId: string): string => `/rooms/${encodeURIComponent(roomId)}`
  const timeline = (roomId: string): readonly SeenEvent[] => rooms.get(roomId) ?? []
  const until = <T>(
    what: string,
    find: () => T | undefined | false,
    seen: () => readonly unknown[],
    ms: number,
  ): Promise<T> =>
    new Promise((resolve, reject) => {
      const check = (): void => {
        const found = find()
        if (found === undefined || found === false) return
        clearTimeout(timer)
        waiting.delete(check)
        resolve(found)
      }
      const timer = setTimeout(() => {
        waiting.delete(check)
        const last = seen().slice(-8)
        reject(
          new Error(
            `${localpart} did not see ${what}; last:\n${last.map((one) => JSON.stringify(one)).join('\n')}`,
          ),
        )
      }, ms)
      waiting.add(check)
      check()
    })
  const waitFor: MatrixPerson['waitFor'] = (roomId, what, fits, ms = PATIENCE_MS) =>
    until(
      what,
      () => timeline(roomId).find(fits),
      () => timeline(roomId),
      ms,
    )
  const send: MatrixPerson['send'] = async (roomId, content, type = 'm.room.message') => {
    const path = `${at(roomId)}/send/${type}/t${process.pid}-${++transactions}`
    return (await user.call('PUT', path, content))['event_id'] as string
  }
  return {
    userId: user.userId,
    user,
    timeline,
    bodies: (roomId) =>
      timeline(roomId)
        .filter(({ type, sender }) => type === 'm.room.message' && sender !== user.userId)
        .map(({ content }) => textOf(content['body'])),
    waitFor,
    waitForText: (roomId, body, ms) =>
      waitFor(roomId, `“${body}”`, ({ content }) => content['body'] === body, ms),
    waitInSync: (what, find, { since = 0, ms = PATIENCE_MS } = {}) => {
      let next = since
      const look = (): ReturnType<typeof find> => {
        for (; next < answers.length; next++) {
          const found = find(answers[next]!)
          if (found !== undefined && found !== false) return found
        }
        return undefined
      }
      return until(what, look, () => answers, ms)
    },
    syncs: () => answers.length,
    createRoom: async (options = {}) =>
      (await user.call('POST', '/createRoom', { preset: 'public_chat', ...options }))['room_id'] as string,
    send,
    say: (roomId, body) => send(roomId, { msgtype: 'm.text', body }),
    redact: async (roomId, eventId) => {
      const path = `${at(roomId)}/redact/${encodeURIComponent(eventId)}/r${process.pid}-${++transactions}`
      return (await user.call('PUT', path, {}))['event_id'] as string
    },
    joined: async (roomId) =>
      Object.keys((await user.call('GET', `${at(roomId)}/joined_members`))['joined'] as JsonObject),
    state: async (roomId, type, key = '') =>
      user.call('GET', `${at(roomId)}/state/${type}/${encodeURIComponent(key)}`).catch(() => undefined),
    upload: async (bytes, type) => {
      const response = await fetch(`${base}/_matrix/media/v3/upload?filename=picture.png`, {
        method: 'POST',
        headers: { authorization: `Bearer ${user.token}`, 'content-type': type },
        body: bytes,
      })
      return ((await response.json()) as { content_uri: string }).content_uri
    },
    [Symbol.asyncDispose]: async () => {
      abort.abort()
      await following
    },
  }
}
