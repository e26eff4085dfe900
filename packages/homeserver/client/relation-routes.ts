import type { AnyEndpoint } from '../http/endpoint.ts'
import { getThreadRoots } from './list-threads.ts'
import {
  getRelatingEvents,
  getRelatingEventsWithRelType,
  getRelatingEventsWithRelTypeAndEventType,
} from './relations.ts'

/** What relates to an event, and the threads of a room. */
export const relationRoutes: readonly AnyEndpoint[] = [
  getRelatingEvents,
  getRelatingEventsWithRelType,
  getRelatingEventsWithRelTypeAndEventType,
  getThreadRoots,
]
