import type { EventId, RoomId, ServerName } from '@causeway/matrix/ids/ids.ts'
import type { RoomVersionRules } from '@causeway/matrix/room-versions/rules.ts'
import type { FindVerifyKey } from '@causeway/matrix/signing/keys.ts'
import type { VerifyElsewhere } from '../../crypto/verify.ts'
import type { Pdu } from '@causeway/matrix/events/pdu.ts'

/**
 * What the rooms ask of other servers, in their words; the federation implements it over HTTP, a simulation in
 * memory. PDUs come back as they were sent: unchecked JSON. Each call throws when the server does not answer or
 * refuses; nothing inside a room's queue may call it (law 3).
 */
export interface RoomPeers {
  /** https://spec.matrix.org/v1.19/server-server-api/#post_matrixfederationv1get_missing_eventsroomid */
  getMissingEvents(
    server: ServerName,
    roomId: RoomId,
    gap: {
      readonly earliest: readonly EventId[]
      readonly latest: readonly EventId[]
      readonly limit: number
      readonly minDepth: number
    },
    signal?: AbortSignal,
  ): Promise<unknown[]>
  /** https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1backfillroomid */
  backfill(
    server: ServerName,
    roomId: RoomId,
    from: readonly EventId[],
    limit: number,
    signal?: AbortSignal,
  ): Promise<unknown[]>
  /** https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1eventeventid */
  getEvent(server: ServerName, eventId: EventId, signal?: AbortSignal): Promise<unknown>
  /** https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1event_authroomideventid */
  getEventAuth(server: ServerName, roomId: RoomId, eventId: EventId, signal?: AbortSignal): Promise<unknown[]>
  /** https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1state_idsroomid */
  getStateIds(
    server: ServerName,
    roomId: RoomId,
    eventId: EventId,
    signal?: AbortSignal,
  ): Promise<{ readonly pduIds: readonly EventId[]; readonly authChainIds: readonly EventId[] }>
  /** https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1stateroomid */
  getState(
    server: ServerName,
    roomId: RoomId,
    eventId: EventId,
    signal?: AbortSignal,
  ): Promise<{ readonly pdus: readonly unknown[]; readonly authChain: readonly unknown[] }>
  /**
   * The newest event of a room up to a time, as far as times are in order; undefined when there is none.
   * https://spec.matrix.org/v1.19/server-server-api/#get_matrixfederationv1timestamp_to_eventroomid
   */
  findEventBefore(
    server: ServerName,
    roomId: RoomId,
    ts: number,
    signal?: AbortSignal,
  ): Promise<EventId | undefined>
  /** The keys by which these events say they are signed, fetched where we do not hold them. */
  loadKeys(rules: RoomVersionRules, pdus: readonly Pdu[], signal?: AbortSignal): Promise<FindVerifyKey>
  /**
   * Whether keys of this server that could not be had may be had within minutes: it has not answered lately, and is
   * not known to be gone.
   */
  isKeyAwaited(server: ServerName): boolean
  /** Checks a signature on another thread; where it is absent, this one does. */
  readonly verify?: VerifyElsewhere
}
