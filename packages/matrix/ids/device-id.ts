import { isOpaqueText } from './common-format.ts'
import type { DeviceId } from './ids.ts'

/** A device id, or undefined: any text from 1 to 255 bytes without NUL. The specification leaves it opaque. */
export function parseDeviceId(text: string): DeviceId | undefined {
  return isDeviceId(text) ? text : undefined
}

/** As `parseDeviceId`, as a type guard for values of any type. */
export function isDeviceId(value: unknown): value is DeviceId {
  return typeof value === 'string' && value !== '' && isOpaqueText(value)
}
