import type { DeviceId, EventId, UserId } from '@causeway/matrix/ids/ids.ts'

/** Which device sent an event, under which transaction id. */
export interface LocalEcho {
  readonly userId: UserId
  readonly deviceId: DeviceId
  readonly txnId: string
}

/** The transaction ids of events sent lately, so that the sending device recognises its own. */
export interface LocalEchoes {
  note(eventId: EventId, echo: LocalEcho): void
  find(eventId: EventId): LocalEcho | undefined
}

/** @param limit events remembered; the oldest are forgotten first */
export function createLocalEchoes(limit: number): LocalEchoes {
  const echoes = new Map<EventId, LocalEcho>()
  return {
    note(eventId, echo) {
      echoes.set(eventId, echo)
      if (echoes.size > limit) echoes.delete(echoes.keys().next().value!)
    },
    find: (eventId) => echoes.get(eventId),
  }
}
