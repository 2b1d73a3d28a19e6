package Plugin;

import java.util.List;

public class Plugin {
    private final List<String> names = new java.util.ArrayList<>();
}
