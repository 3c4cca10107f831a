// How tracks are sent: which codec first, and how much of the uplink each takes.

/** Video by the number of people it is sent to: a mesh divides the uplink. */
const VIDEO = [
  { maxBitrate: 1_700_000, scaleResolutionDownBy: 1 }, // 720p
  { maxBitrate: 800_000, scaleResolutionDownBy: 4 / 3 }, // 540p
  { maxBitrate: 450_000, scaleResolutionDownBy: 2 }, // 360p
];
/** A screen is read, so it keeps its resolution and gives up frames. */
const SCREEN = { maxBitrate: 1_700_000, maxFramerate: 15, scaleResolutionDownBy: 1 };
const AUDIO_BITRATE = 40_000; // bits per second

/**
 * Orders the codecs of a transceiver that has not been negotiated: redundant
 * audio first where there is any, and VP9 where the machine can afford it.
 * @param {RTCRtpTransceiver} transceiver
 */
export function prefer(transceiver) {
  const kind = transceiver.receiver.track.kind;
  const codecs = globalThis.RTCRtpReceiver?.getCapabilities?.(kind)?.codecs ?? [];
  const first = kind === 'audio' ? 'audio/red' : strong() ? 'video/vp9' : 'video/vp8';
  const order = [...codecs.filter((c) => c.mimeType.toLowerCase() === first), ...codecs.filter((c) => c.mimeType.toLowerCase() !== first)];
  try {
    if (order.length > 0) transceiver.setCodecPreferences(order);
  } catch {
    // The browser's own order will do.
  }
}

/** VP9 costs about twice the processor time of VP8. */
const strong = () => (globalThis.navigator?.hardwareConcurrency ?? 0) >= 4 && !/Mobi|Android/.test(globalThis.navigator?.userAgent ?? '');

/**
 * @param {RTCRtpSender} sender that has a track and was negotiated
 * @param {{screen: boolean, receivers: number}} use
 * @returns {Promise<boolean>} false if nothing is negotiated yet, so that it must be done again
 */
export async function tune(sender, { screen, receivers }) {
  const parameters = sender.getParameters();
  const [encoding] = parameters.encodings ?? [];
  if (!encoding) return false;
  if (sender.track?.kind === 'audio') {
    Object.assign(encoding, { maxBitrate: AUDIO_BITRATE, priority: 'high', networkPriority: 'high' });
  } else {
    Object.assign(encoding, { maxFramerate: 30 }, screen ? SCREEN : VIDEO[Math.min(Math.max(receivers, 1), VIDEO.length) - 1]);
    parameters.degradationPreference = screen ? 'maintain-resolution' : 'maintain-framerate';
  }
  try {
    await sender.setParameters(parameters);
  } catch {
    // A browser that refuses sends with its own settings.
  }
  return true;
}
