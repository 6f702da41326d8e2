package dev.sluice.aio.sink;

import dev.sluice.pipeline.BlockRequest;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Warns once for each sink of a file system that is stricter about O_DIRECT than it says. <b>Threading:</b> the loop's. <b>Allocation:</b> for the warning. */
final class DirectRefusals {
    private static final Logger LOG = LoggerFactory.getLogger(DirectRefusals.class);

    private final String loopName;
    private boolean warned;

    DirectRefusals(String loopName) {
        this.loopName = loopName;
    }

    void warn(BlockRequest request) {
        if (!warned) {
            warned = true;
            LOG.warn("{}: the file system refuses O_DIRECT for {} although its stated alignment allows it; such requests go through the page cache", loopName,
                    request);
        }
    }
}
