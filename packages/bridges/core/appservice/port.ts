import type { JsonObject, JsonValue } from '@causeway/matrix/events/pdu.ts'
import { MatrixPortError } from '../matrix-port.ts'
import type { MatrixEvent, MatrixPort } from '../matrix-port.ts'
import type { ApiRequest, AppserviceTransport } from './transport.ts'

export interface AppservicePortOptions {
  readonly transport: AppserviceTransport
  readonly serverName: string
  readonly botLocalpart: string
  /** Absent: files stay for people with an account. */
  readonly publicMediaUrl?: (mxc: string, expiresMs: number) => Promise<string | undefined>
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function toError(status: number, json: unknown, what: string): MatrixPortError {
  const errcode = isObject(json) && typeof json['errcode'] === 'string' ? json['errcode'] : 'M_UNKNOWN'
  const said = isObject(json) && typeof json['error'] === 'string' ? json['error'] : 'no answer'
  const wait =
    isObject(json) && typeof json['retry_after_ms'] === 'number' ? json['retry_after_ms'] : undefined
  return new MatrixPortError(status, errcode, `${what}: ${errcode} (${status}): ${said}`, wait)
}

const room = (roomId: string): string => `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}`
const part = (text: string): string => encodeURIComponent(text)

/** Calls, with what is refused thrown. */
function createCall(transport: AppserviceTransport) {
  return async (
    method: string,
    path: string,
    request: { [key in keyof ApiRequest]: ApiRequest[key] | undefined },
  ): Promise<JsonObject> => {
    const { status, json } = await transport(method, path, {
      ...(request.query === undefined ? {} : { query: request.query }),
      ...(request.body === undefined ? {} : { body: request.body }),
      asUser: request.asUser,
    })
    if (status !== 200) throw toError(status, json, `${method} ${path}`)
    return isObject(json) ? json : { value: (json ?? null) as JsonValue }
  }
}

type Call = ReturnType<typeof createCall>

function eventIdOf(answer: JsonObject): string {
  const eventId = answer['event_id']
  if (typeof eventId !== 'string')
    throw new MatrixPortError(502, 'M_UNKNOWN', 'the homeserver gave no event id')
  return eventId
}

/** Undefined instead of "not found". */
async function orAbsent<T>(promise: Promise<T>): Promise<T | undefined> {
  try {
    return await promise
  } catch (error) {
    if (error instanceof MatrixPortError && error.status === 404) return undefined
    throw error
  }
}

function membershipCalls(
  call: Call,
): Pick<MatrixPort, 'join' | 'leave' | 'setMembership' | 'listJoinedRooms'> {
  return {
    join: async (as, roomIdOrAlias) => {
      await call('POST', `/_matrix/client/v3/join/${part(roomIdOrAlias)}`, { asUser: as, body: {} })
    },
    leave: async (as, roomId, reason) => {
      await call('POST', `${room(roomId)}/leave`, { asUser: as, body: reason === '' ? {} : { reason } })
    },
    setMembership: async (as, act, { roomId, userId, reason }) => {
      const body = { user_id: userId, ...(reason === undefined ? {} : { reason }) }
      await call('POST', `${room(roomId)}/${act}`, { asUser: as, body })
    },
    listJoinedRooms: async () => {
      const { joined_rooms: rooms } = await call('GET', '/_matrix/client/v3/joined_rooms', {})
      return Array.isArray(rooms) ? rooms.filter((one) => typeof one === 'string') : []
    },
  }
}

function stateCalls(
  call: Call,
): Pick<MatrixPort, 'setState' | 'findState' | 'findCreator' | 'findEvent' | 'findRoomByAlias'> {
  return {
    setState: async (as, { roomId, type, stateKey, content }) =>
      eventIdOf(
        await call('PUT', `${room(roomId)}/state/${part(type)}/${part(stateKey)}`, {
          asUser: as,
          body: content,
        }),
      ),
    findState: (roomId, type, stateKey) =>
      orAbsent(call('GET', `${room(roomId)}/state/${part(type)}/${part(stateKey)}`, {})),
    findCreator: async (roomId) => {
      const path = `${room(roomId)}/state/m.room.create/`
      const { sender } = (await orAbsent(call('GET', path, { query: { format: 'event' } }))) ?? {}
      return typeof sender === 'string' ? sender : undefined
    },
    findRoomByAlias: async (alias) => {
      const path = `/_matrix/client/v3/directory/room/${part(alias)}`
      const { room_id: roomId } = (await orAbsent(call('GET', path, {}))) ?? {}
      return typeof roomId === 'string' ? roomId : undefined
    },
    findEvent: async (roomId, eventId) =>
      (await orAbsent(call('GET', `${room(roomId)}/event/${part(eventId)}`, {}))) as MatrixEvent | undefined,
  }
}

function sendCalls(call: Call): Pick<MatrixPort, 'send' | 'redact'> {
  return {
    send: async (as, { roomId, type, content, txnId, ts }) => {
      const query = ts === undefined ? undefined : { ts: String(ts) }
      const path = `${room(roomId)}/send/${part(type)}/${part(txnId)}`
      return eventIdOf(await call('PUT', path, { asUser: as, body: content, query }))
    },
    redact: async (as, { roomId, eventId, txnId, reason }) => {
      const path = `${room(roomId)}/redact/${part(eventId)}/${part(txnId)}`
      return eventIdOf(await call('PUT', path, { asUser: as, body: reason === undefined ? {} : { reason } }))
    },
  }
}

/**
 * A homeserver as the Application Service API shows it.
 * https://spec.matrix.org/v1.19/application-service-api/#client-server-api-extensions
 */
export function createAppservicePort(options: AppservicePortOptions): MatrixPort {
  const { transport, serverName, botLocalpart } = options
  const call = createCall(transport)
  const botUserId = `@${botLocalpart}:${serverName}`
  return {
    serverName,
    botUserId,
    ...membershipCalls(call),
    ...stateCalls(call),
    ...sendCalls(call),
    register: async (localpart) => {
      const body = { type: 'm.login.application_service', username: localpart, inhibit_login: true }
      try {
        await call('POST', '/_matrix/client/v3/register', { body })
      } catch (error) {
        if (!(error instanceof MatrixPortError && error.errcode === 'M_USER_IN_USE')) throw error
      }
    },
    setDisplayName: async (as, name) => {
      const path = `/_matrix/client/v3/profile/${part(as ?? botUserId)}/displayname`
      await call('PUT', path, { asUser: as, body: { displayname: name } })
    },
    upload: async (bytes, contentType, fileName) => {
      const request = { query: { filename: fileName }, body: { bytes, contentType } }
      const answer = await call('POST', '/_matrix/media/v3/upload', request)
      const uri = answer['content_uri']
      if (typeof uri !== 'string')
        throw new MatrixPortError(502, 'M_UNKNOWN', 'the homeserver gave no address')
      return uri
    },
    publicMediaUrl: options.publicMediaUrl ?? (async () => undefined),
  }
}
