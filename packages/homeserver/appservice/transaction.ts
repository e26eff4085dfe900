import type { StoredEvent } from '@causeway/store/log/entry.ts'
import { withUnsigned } from '@causeway/matrix/events/client-event.ts'
import { EventFlag } from '@causeway/store/log/entry.ts'
import type { RoomEngine } from '../rooms/engine.ts'
import { getRoomByNid } from '../rooms/load-head.ts'
import { renderRedaction, renderReplaced } from '../rooms/render-event.ts'

/** Events, messages to devices and changes of devices of a transaction at most. */
export const MAX_ITEMS = 100

/**
 * An event as an appservice gets it: the client form, with what it replaced and why it was redacted, but nothing
 * that depends on a reader. A plain message costs no look-up.
 */
export async function renderForAppservice(engine: RoomEngine, event: StoredEvent): Promise<string> {
  let unsigned = `{"age":${Math.max(0, engine.clock.now() - event.originServerTs)}`
  if (event.stateKey !== undefined) {
    unsigned += await renderReplaced(engine, await getRoomByNid(engine, event.roomNid), event)
  }
  if ((event.flags & EventFlag.redacted) !== 0) unsigned += await renderRedaction(engine, event)
  return withUnsigned(event.clientJson, `${unsigned}}`)
}

/** Events as a JSON list. */
export async function renderEvents(engine: RoomEngine, events: readonly StoredEvent[]): Promise<string> {
  const rendered: string[] = []
  for (const event of events) rendered.push(await renderForAppservice(engine, event))
  return `[${rendered.join(',')}]`
}

/** The body of a transaction of ephemeral data, given as JSON texts. */
export function formatEphemeral(items: readonly string[], usesMsc2409: boolean): string {
  const list = `[${items.join(',')}]`
  // Those who asked by the name it had before v1.13 look for the data under that name.
  const old = usesMsc2409 ? `,"de.sorunome.msc2409.ephemeral":${list}` : ''
  return `{"events":[],"ephemeral":${list}${old}}`
}
