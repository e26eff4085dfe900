/** Seeds that found a fault once, and what it was: run every time. */
export const FIXED_SEEDS: readonly (readonly [seed: string, found: string])[] = [
  [
    '9',
    'a server that refuses get_missing_events held up all that waits in a room, and was asked without end',
  ],
  ['10', 'an event that closed a gap became a newest event, and took the room back to its state'],
  [
    '17',
    'events that waited for each other were given up, since each was taken for one that its sender does not show',
  ],
  [
    '16',
    'an event that came again while it was being stored was acknowledged before it was durable, and lost with that write',
  ],
  [
    '574',
    'history from before a join, found on the way back from a sibling of it, was taken for new and judged by rules of today',
  ],
  [
    '616',
    'two rooms that somebody made alike in one millisecond were the same room, and the second was refused',
  ],
  [
    '1918',
    'an event whose keys could not be had for a moment became a gap, and one server went by another state for good',
  ],
  ['43', 'history from before a join became newest events, and took the residents out of the room'],
]

/** How many seeds are part of `npm test`, beginning with 1. */
export const TEST_SEEDS = 100

/** Everything that can go wrong, each of which has to happen again and again in those seeds. */
export const ADVERSITY: readonly string[] = [
  'lost',
  'delayed',
  'reordered',
  'duplicated',
  'cutOff',
  'refused',
  'partition',
  'cutOneWay',
  'changeWeather',
  'jumpClock',
  'crash',
  'fillDisk',
  'hostile: forges a signature',
  'hostile: takes what it may not',
  'hostile: cites what is not there',
  'hostile: cites in a circle',
  'hostile: forks hugely',
  'hostile: says one thing here and another there',
  'hostile: mixes rooms up',
  'hostile: goes on after what happened to it',
  'hostile: sends what is no event',
]
