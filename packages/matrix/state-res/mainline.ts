import type { RoomEvent } from '../events/pdu.ts'
import type { EventId } from '../ids/ids.ts'
import type { EventCache } from './event-source.ts'
import { compareByTime } from './power-order.ts'
import type { Pause } from './state-difference.ts'

/**
 * Mainline ordering: events that rest on older power levels first, then by time, then by id. `powerLevels` is the
 * power-levels event of the partially resolved state. The auth events of all events have been loaded.
 *
 * The mainline is followed no further back than the events ask for, and each power-levels event is placed once:
 * O(n log n + power-levels events walked). https://spec.matrix.org/v1.19/rooms/v12/#definitions
 */
export async function sortByMainline(
  events: readonly RoomEvent[],
  powerLevels: RoomEvent | undefined,
  cache: EventCache,
  pause?: Pause,
): Promise<readonly RoomEvent[]> {
  const mainline = createMainline(powerLevels, cache)
  const placed: { event: RoomEvent; position: number }[] = []
  for (const event of events) {
    const turn = pause?.()
    if (turn !== undefined) await turn
    placed.push({ event, position: await mainline.positionOf(event) })
  }
  placed.sort((a, b) =>
    // Not a subtraction: infinity minus infinity is not a number.
    a.position === b.position ? compareByTime(a.event, b.event) : a.position > b.position ? -1 : 1,
  )
  return placed.map(({ event }) => event)
}

interface Mainline {
  /** 0 for events under the newest power levels, more the older they are, infinity for events off the mainline. */
  positionOf(event: RoomEvent): Promise<number>
}

function createMainline(powerLevels: RoomEvent | undefined, cache: EventCache): Mainline {
  const onMainline = new Map<EventId, number>()
  const positions = new Map<EventId, number>()
  let next = powerLevels

  /** Follows the mainline until it holds the event or ends. */
  async function isOnMainline(id: EventId): Promise<boolean> {
    while (next !== undefined && !onMainline.has(id)) {
      onMainline.set(next.eventId, onMainline.size)
      next = await findPowerLevels(next, cache)
      // Ids of room versions 1 and 2 could form a cycle.
      if (next !== undefined && onMainline.has(next.eventId)) next = undefined
    }
    return onMainline.has(id)
  }

  return {
    async positionOf(event) {
      const path = new Set<EventId>()
      let position = Infinity
      let step = await findPowerLevels(event, cache)
      while (step !== undefined && !path.has(step.eventId)) {
        const known = positions.get(step.eventId)
        if (known !== undefined || (await isOnMainline(step.eventId))) {
          position = known ?? onMainline.get(step.eventId)!
          break
        }
        path.add(step.eventId)
        step = await findPowerLevels(step, cache)
      }
      for (const id of path) positions.set(id, position)
      return position
    },
  }
}

/** The power-levels event among an event's auth events. */
async function findPowerLevels(event: RoomEvent, cache: EventCache): Promise<RoomEvent | undefined> {
  await cache.load(event.authEventIds)
  return event.authEventIds
    .map((id) => cache.get(id))
    .find(({ pdu }) => pdu.type === 'm.room.power_levels' && pdu.state_key === '')
}
