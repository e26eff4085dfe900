import type { JsonObject } from '@causeway/matrix/events/pdu.ts'
import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import { keysToVerify } from '@causeway/matrix/signing/verify-event.ts'
import { verifySignatureInPool, type VerifyElsewhere } from '../crypto/verify.ts'
import type { RoomPeers } from '../rooms/peers/room-peers.ts'
import { FederationError, type FederationClient, type FederationRequest } from './federation-client.ts'
import type { Keyring, WantedKeys } from './keyring.ts'

const MEBIBYTE = 1024 * 1024
/** An event is at most 64 KiB; answers hold up to a hundred of them. */
const MAX_EVENTS_BYTES = 16 * MEBIBYTE
/** The whole state of a large room, with what authorises it. */
const MAX_STATE_BYTES = 512 * MEBIBYTE
const MAX_IDS_BYTES = 64 * MEBIBYTE
const STATE_TIMEOUT_MS = 5 * 60_000

const segment = encodeURIComponent
const v1 = (path: string): string => `/_matrix/federation/v1${path}`

type Request = Omit<FederationRequest, 'signal'>

function listOf(server: ServerName, answer: JsonObject, key: string): unknown[] {
  const value = answer[key]
  if (Array.isArray(value)) return value
  throw new FederationError(server, { kind: 'malformed' }, `${server}: its answer has no list "${key}"`)
}

function idsOf(server: ServerName, answer: JsonObject, key: string): EventId[] {
  const list = listOf(server, answer, key)
  // What is no id of an event is asked for in vain later on; here it only has to be text.
  if (list.every((id): id is EventId => typeof id === 'string')) return list
  throw new FederationError(server, { kind: 'malformed' }, `${server}: "${key}" holds what is no event id`)
}

/** Asks a server. @throws FederationError */
type Ask = (server: ServerName, request: Request, signal: AbortSignal | undefined) => Promise<JsonObject>

async function findEventBefore(
  ask: Ask,
  server: ServerName,
  roomId: RoomId,
  ts: number,
  signal: AbortSignal | undefined,
): Promise<EventId | undefined> {
  const path = v1(`/timestamp_to_event/${segment(roomId)}`)
  const query = [['ts', String(ts)] as const, ['dir', 'b'] as const]
  try {
    const { event_id: eventId } = await ask(server, { method: 'GET', path, query }, signal)
    return typeof eventId === 'string' ? (eventId as EventId) : undefined
  } catch (error) {
    const { failure } = error as FederationError
    if (failure?.kind === 'refused' && failure.errcode === 'M_NOT_FOUND') return undefined
    throw error
  }
}

/** What the rooms ask of other servers, by HTTP; signatures are checked on other threads. */
export function createRoomPeers(
  client: FederationClient,
  keyring: Keyring,
  verify: VerifyElsewhere = verifySignatureInPool,
): RoomPeers {
  const ask: Ask = (server, request, signal) =>
    client.request(server, signal === undefined ? request : { ...request, signal })
  return {
    async getMissingEvents(server, roomId, { earliest, latest, limit, minDepth }, signal) {
      const path = v1(`/get_missing_events/${segment(roomId)}`)
      const gap = { earliest_events: [...earliest], latest_events: [...latest] }
      const body = { ...gap, limit, min_depth: minDepth }
      const request: Request = { method: 'POST', path, body, maxBytes: MAX_EVENTS_BYTES }
      const answer = await ask(server, request, signal)
      return listOf(server, answer, 'events')
    },
    async backfill(server, roomId, from, limit, signal) {
      const query = [...from.map((id) => ['v', id] as const), ['limit', String(limit)] as const]
      const path = v1(`/backfill/${segment(roomId)}`)
      const answer = await ask(server, { method: 'GET', path, query, maxBytes: MAX_EVENTS_BYTES }, signal)
      return listOf(server, answer, 'pdus')
    },
    async getEvent(server, eventId, signal) {
      const answer = await ask(server, { method: 'GET', path: v1(`/event/${segment(eventId)}`) }, signal)
      const [pdu] = listOf(server, answer, 'pdus')
      if (pdu !== undefined) return pdu
      throw new FederationError(server, { kind: 'malformed' }, `${server}: its answer holds no event`)
    },
    async getEventAuth(server, roomId, eventId, signal) {
      const path = v1(`/event_auth/${segment(roomId)}/${segment(eventId)}`)
      const answer = await ask(server, { method: 'GET', path, maxBytes: MAX_IDS_BYTES }, signal)
      return listOf(server, answer, 'auth_chain')
    },
    async getStateIds(server, roomId, eventId, signal) {
      const path = v1(`/state_ids/${segment(roomId)}`)
      const query = [['event_id', eventId]] as const
      const request: Request = {
        method: 'GET',
        path,
        query,
        maxBytes: MAX_IDS_BYTES,
        timeoutMs: STATE_TIMEOUT_MS,
      }
      const answer = await ask(server, request, signal)
      return {
        pduIds: idsOf(server, answer, 'pdu_ids'),
        authChainIds: idsOf(server, answer, 'auth_chain_ids'),
      }
    },
    async getState(server, roomId, eventId, signal) {
      const path = v1(`/state/${segment(roomId)}`)
      const query = [['event_id', eventId]] as const
      const request: Request = {
        method: 'GET',
        path,
        query,
        maxBytes: MAX_STATE_BYTES,
        timeoutMs: STATE_TIMEOUT_MS,
      }
      const answer = await ask(server, request, signal)
      return { pdus: listOf(server, answer, 'pdus'), authChain: listOf(server, answer, 'auth_chain') }
    },
    findEventBefore: (server, roomId, ts, signal) => findEventBefore(ask, server, roomId, ts, signal),
    loadKeys: (rules, pdus, signal) => {
      const wanted = pdus.flatMap((pdu): WantedKeys[] =>
        keysToVerify(rules, pdu).map((keys) => ({ ...keys, validAt: pdu.origin_server_ts })),
      )
      return keyring.load(wanted, signal)
    },
    isKeyAwaited: (server) => keyring.isAwaited(server),
    verify,
  }
}
