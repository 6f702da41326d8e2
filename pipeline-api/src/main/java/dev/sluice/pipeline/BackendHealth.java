package dev.sluice.pipeline;

/**
 * What has befallen an open image. Immutable.
 *
 * @param writebackFailed whether a sync of the image has failed, so that every FLUSH and every durable request fails until the image is reopened
 * @param missingBytes bytes of the disk that lie behind the present end of its image, 0 where nothing is missing; requests for them fail
 */
public record BackendHealth(boolean writebackFailed, long missingBytes) {
    /** Nothing has; also what a backend reports that does not watch its image. */
    public static final BackendHealth GOOD = new BackendHealth(false, 0);
}
